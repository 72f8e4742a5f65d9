"""Own how results are kept: as JSON or npy where that gives exactly the same back, otherwise as pickles."""

from __future__ import annotations

import io
import json
import pickle
import sys
from typing import Any

from nbflow.errors import NotMemoizable

__all__ = ["decode", "encode"]

_TO_JSON = json.JSONEncoder(separators=(",", ":")).encode
_SCALARS = frozenset((type(None), bool, int, float, str))
_JSON_DEPTH = 20
_LARGE = 1 << 64
_PLAIN_KINDS = "biufcSU"


def encode(value: Any) -> tuple[str, bytes]:
    """Return the name of a codec, and the value in it. Raises NotMemoizable when nothing can keep it."""
    if (
        type(value) is int and -_LARGE < value < _LARGE
    ):  # the same as the encoder writes, at a quarter of the price
        return "json", b"%d" % value
    if _is_json(value, _JSON_DEPTH):
        return "json", _TO_JSON(value).encode()
    if type(value) is bytes:
        return "bytes", value
    if _is_plain_array(value):
        import numpy as np

        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return "npy", file.getvalue()
    try:
        return "pickle", pickle.dumps(value, protocol=5)
    except (Exception, SystemExit) as error:  # a user's own code
        raise NotMemoizable(
            f"its result cannot be kept: {type(error).__name__}: {str(error)[:200]}"
        ) from error


def decode(codec: str, data: bytes) -> Any:
    """Return the value. Raises whatever its code raises: only what this user's nbflow wrote may come here."""
    match codec:
        case "json":
            return json.loads(data)
        case "bytes":
            return data
        case "npy":
            import numpy as np

            return np.load(io.BytesIO(data), allow_pickle=False)
        case "pickle":
            return pickle.loads(data)
        case _:
            raise ValueError(f"no codec is called {codec!r}")


def _is_json(value: Any, depth: int) -> bool:
    """Tell whether JSON gives exactly the same back: lists, dicts with text for keys, and scalars."""
    kind = type(value)
    if kind in _SCALARS:
        # Python refuses to write or read very long numbers as digits.
        return kind is not int or value.bit_length() < 4096
    if depth == 0:
        return False
    if kind is list:
        return all(_is_json(item, depth - 1) for item in value)
    if kind is dict:
        return all(type(key) is str and _is_json(item, depth - 1) for key, item in value.items())
    return False


def _is_plain_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return False
    return value.dtype.kind in _PLAIN_KINDS and not value.dtype.metadata and value.dtype.isbuiltin == 1
