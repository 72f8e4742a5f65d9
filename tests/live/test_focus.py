from nbflow.journal.rows import ARGUMENT, JOIN_CHILD, EdgeRow
from nbflow.live.focus import Focus
from nbflow.live.model import SPAWNED


def test_ancestors_are_in_focus() -> None:
    focus = Focus([3])
    focus.widen([EdgeRow(1, 2, ARGUMENT), EdgeRow(2, 3, ARGUMENT), EdgeRow(1, 4, ARGUMENT)])
    assert focus.tasks == {1, 2, 3}


def test_what_a_join_makes_is_in_focus() -> None:
    focus = Focus([1])
    assert focus.widen([EdgeRow(1, 5, SPAWNED), EdgeRow(1, 6, JOIN_CHILD)]) == {5, 6}
    assert focus.tasks == {1, 5, 6}


def test_what_was_known_before_comes_in_with_what_needs_it() -> None:
    focus = Focus([4])
    assert focus.widen([EdgeRow(1, 2, ARGUMENT)]) == set()
    assert focus.widen([EdgeRow(2, 4, ARGUMENT)]) == {1, 2}
