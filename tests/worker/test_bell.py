import select

from nbflow.worker.bell import Bell


def is_heard(bell: Bell) -> bool:
    return bool(select.select([bell], [], [], 0)[0])


def test_it_is_heard_until_it_is_silenced_however_often_it_was_rung() -> None:
    bell = Bell()
    bell.silence()
    assert not is_heard(bell)
    bell.ring()
    bell.ring()
    assert is_heard(bell)
    bell.silence()
    assert not is_heard(bell)
    bell.close()


def test_ringing_never_blocks() -> None:
    bell = Bell()
    for _ in range(10_000):
        bell.ring()
    bell.close()
