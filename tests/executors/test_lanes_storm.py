"""Row L2: pilots that all come at once; `python -m benchmarks.storm` has a thousand of them."""

import time

from benchmarks.storm import storm

PILOTS, WORKERS, SECONDS = 200, 64, 30


def test_L2_two_hundred_pilots_that_come_at_once_are_let_in_and_keep_their_beats() -> None:
    with storm(PILOTS, WORKERS) as going:
        end = time.monotonic() + SECONDS
        while going.ups < PILOTS:
            assert time.monotonic() < end, f"{going.ups} of {PILOTS} came"
            time.sleep(0.02)
        time.sleep(3)  # of signs of life, both ways
        assert len({slot for node in going.lanes.nodes() for slot in node.crew.slots}) == PILOTS * WORKERS
        assert all(time.monotonic() - node.heard < 10 for node in going.lanes.nodes())
        assert going.downs == []
    assert going.ups == PILOTS
    assert going.heard["START"] == PILOTS * WORKERS
    assert going.heard["BEAT"] >= PILOTS
    assert going.heard["RESET"] == going.heard["REFUSE"] == 0
