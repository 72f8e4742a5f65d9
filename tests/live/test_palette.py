from nbflow.core.states import State
from nbflow.live.palette import LEGEND, LOOKS, look_of


def test_every_state_has_a_look_and_a_place_in_the_legend() -> None:
    assert set(LOOKS) == set(LEGEND) == set(State)
    assert len(LEGEND) == len(State)


def test_looks_are_told_apart_without_colour() -> None:
    alike = {State.NEW: State.WAITING, State.QUEUED: State.READY}
    signs = {(look.glyph, look.is_solid) for state, look in LOOKS.items() if state not in alike}
    assert len(signs) == len(State) - len(alike)
    assert len({look.word for look in LOOKS.values()}) == len(State)


def test_a_state_of_a_newer_nbflow_has_a_look() -> None:
    assert look_of(99) is LOOKS[State.NEW]
