"""Exceptions there and back, and those that cannot travel."""

import pytest

from nbflow.errors import AppExited, NotPicklable, RemoteError, RemoteTraceback, WorkerLost
from nbflow.wire.failures import MAX_TEXT, bounded, decode_error, encode_error
from nbflow.wire.values import Definitions


def there_and_back(error: BaseException) -> BaseException:
    return decode_error(encode_error(error), Definitions())


def test_type_arguments_attributes_notes_and_traceback_are_kept():
    try:
        error = OSError(2, "gone", "a.csv")
        error.hint = "look elsewhere"
        error.add_note("a note")
        raise error
    except OSError as caught:
        back = there_and_back(caught)
    assert type(back) is FileNotFoundError
    assert back.filename == "a.csv"
    assert back.hint == "look elsewhere"
    assert back.__notes__ == ["a note"]
    assert isinstance(back.__cause__, RemoteTraceback)
    assert "raise error" in back.__cause__.text
    assert "nbflow/wire" not in back.__cause__.text


def test_own_errors_keep_their_fields():
    back = there_and_back(WorkerLost("gone", reason="signal 9", task=4))
    assert (type(back), back.reason, back.task, str(back)) == (WorkerLost, "signal 9", 4, "gone")
    assert there_and_back(NotPicklable("x", path="args[0]")).path == "args[0]"


class Demanding(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Holding(Exception):
    def __init__(self):
        super().__init__("held")
        self.file = open("/dev/null")  # noqa: PTH123, SIM115


class Changing(Exception):
    def __reduce__(self):
        return ValueError, ("other",)


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    def __reduce__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("error", [Demanding(1, 2), Holding(), Changing("x"), Unspeakable()])
def test_B4_exceptions_that_cannot_travel(error):
    back = there_and_back(error)
    assert type(back) is RemoteError
    assert back.type_name == type(error).__name__
    assert type(error).__name__ in str(back)


def test_B4_the_message_of_a_stand_in_is_kept():
    assert "1 and 2" in str(there_and_back(Demanding(1, 2)))


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), type("Own", (BaseException,), {})()]
)
def test_B4_what_ends_an_interpreter_ends_a_task(error):
    back = there_and_back(error)
    assert type(back) is AppExited
    assert type(error).__name__ in str(back)


def test_B4_huge_messages_are_bounded():
    back = there_and_back(ValueError("x" * 50_000_000))
    assert type(back) is RemoteError
    assert len(str(back)) < MAX_TEXT + 1000
    assert "characters left out" in str(back)
    assert bounded("short") == "short"


def test_exceptions_of_a_notebook(notebook, peer):
    notebook.cell("class Mine(Exception): pass\ndef f(x):\n    raise Mine(x)  # here")
    error = peer.outcome(notebook["f"], 3).error
    assert type(error) is notebook["Mine"]
    assert error.args == (3,)
    assert "raise Mine(x)  # here" in error.__cause__.text
    assert "nbflow" not in error.__cause__.text


def test_the_remote_chain_is_told(peer):
    def f():
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError as error:
            raise ValueError("then") from error

    error = peer.outcome(f).error
    assert type(error) is ValueError
    assert "ZeroDivisionError" in error.__cause__.text
