"""Own how an exception travels: as itself whenever that works, else as an account of it.

Whether it works is tried where it was raised, by a round trip: many exceptions can be pickled and then not be
read.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import cast

from nbflow.errors import AppExited, NbflowError, NotReadable, RemoteError, RemoteTraceback
from nbflow.wire.blame import message_of
from nbflow.wire.values import Definitions, Encoded, decode, encode

__all__ = ["bounded", "decode_error", "encode_error", "traceback_text"]

MAX_TEXT = 100_000
"""Characters of a message or a traceback that travel; the middle of longer ones is left out."""
MAX_NBYTES = 10 * MAX_TEXT
"""Bytes of an exception that travels as itself."""

_HERE = str(Path(__file__).parent.parent)


def encode_error(
    error: BaseException, *, known: Definitions | None = None, traceback: str | None = None
) -> Encoded:
    """Encode an exception with its traceback, which can be given as text. Never raises.

    One that is no Exception (`SystemExit`, `KeyboardInterrupt`) arrives as AppExited; one that cannot be
    pickled, or not be read again, or is huge, arrives as RemoteError.
    """
    text = traceback_text(error) if traceback is None else traceback
    if not isinstance(error, Exception):
        return _encode(AppExited(f"the call tried to end its worker process: {_line(error)}"), text, known)
    try:
        encoded = _encode(error, text, known)
        if _nbytes(encoded) <= MAX_NBYTES and _comes_back(encoded, error, known):
            return encoded
    except NbflowError as reason:
        return _stand_in(error, text, str(reason), known)
    return _stand_in(error, text, "it is too large, or does not come back as what it was", known)


def decode_error(encoded: Encoded, definitions: Definitions) -> BaseException:
    """Return the exception that was encoded, its remote traceback as its cause. Never raises."""
    try:
        error, text = decode(encoded.data, encoded.buffers, definitions)
    except NotReadable as reason:
        return reason
    if text:
        # Not as an attribute is set: its class may have a way of its own.
        object.__setattr__(error, "__cause__", RemoteTraceback(text))
    return cast("BaseException", error)


def traceback_text(error: BaseException) -> str:
    """Return the traceback as bounded text, with the frames of nbflow left out. Never raises."""
    return bounded(_traceback(error))


def bounded(text: str) -> str:
    """Return `text`, without its middle when it is longer than 100,000 characters."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"


def _encode(error: Exception, text: str, known: Definitions | None) -> Encoded:
    return encode((error, text), what=("exception", "traceback"), known=known)


def _nbytes(encoded: Encoded) -> int:
    return len(encoded.data) + sum(map(len, encoded.buffers))


def _comes_back(encoded: Encoded, error: Exception, known: Definitions | None) -> bool:
    """Tell whether the other side would read the same kind of exception. Raises NbflowError if not at all."""
    again, _ = decode(encoded.data, encoded.buffers, known or Definitions())
    return type(again) is type(error)


def _stand_in(error: Exception, text: str, reason: str, known: Definitions | None) -> Encoded:
    name = type(error).__qualname__
    message = f"{name}: {bounded(message_of(error))}\n(the exception itself could not travel: {reason[:500]})"
    return _encode(RemoteError(message, type_name=name), text, known)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}({message_of(error)[:300]})"


def _traceback(error: BaseException) -> str:
    try:
        account = traceback.TracebackException.from_exception(error)
        has_frames = _leave_own_frames_out(account)
        if has_frames:
            return "".join(account.format())
        # What C code raises has no frames, but words; ours are told with the error itself.
        return "" if isinstance(error, NbflowError) else "".join(account.format_exception_only())
    except BaseException as broken:  # noqa: BLE001 - an exception's own code may be at fault as well
        return f"{type(error).__name__}: <no traceback: formatting it raised {type(broken).__name__}>"


def _leave_own_frames_out(account: traceback.TracebackException) -> bool:
    """Tell whether any frames are left."""
    chain = [account, *(account.exceptions or ()), account.__cause__, account.__context__]
    found = False
    for part in chain:
        if part is None:
            continue
        part.stack[:] = [frame for frame in part.stack if not frame.filename.startswith(_HERE)]
        found = found or bool(part.stack)
        found = (part is not account and _leave_own_frames_out(part)) or found
    return found
