import json
import os
import socket

import pytest

from nbflow.control.lines import Request, done, encode, failed, peer_uid
from nbflow.errors import ControlError


def test_a_request_may_leave_its_arguments_out() -> None:
    assert Request.from_line(b'{"command": "status"}') == Request("status", {})
    assert Request.from_line(b'{"command": "x", "arguments": {"a": 1}}') == Request("x", {"a": 1})


@pytest.mark.parametrize("line", [b"", b"1", b"{}", b'{"command": 1}', b'{"command": "x", "more": 1}', b"["])
def test_what_is_no_request_is_told(line: bytes) -> None:
    with pytest.raises(ControlError):
        Request.from_line(line)


def test_answers_are_one_line_of_ascii_whatever_is_in_them() -> None:
    line = encode(done({"text": "a\nb\ud800ü", "odd": {1}.__class__}))
    assert line.count(b"\n") == 1
    assert json.loads(line)["result"]["text"] == "a\nb\ud800ü"
    assert failed(ControlError("no")) == {"ok": False, "error": {"type": "ControlError", "message": "no"}}


def test_the_other_end_of_a_pair_is_us() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one) in (None, os.getuid())
