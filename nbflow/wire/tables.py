"""Own what tells arrays and tables apart: numpy's and pandas'.

It is imported when there is a value of theirs, never before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["table_parts"]

Parts = tuple[Any, ...]


def table_parts(value: Any) -> Parts | None:
    """Return what `value` is made of: its type's name, dtype, shape, content. None for another type."""
    if type(value) is np.ndarray:
        return "array", value.dtype, value.shape, _items(value)
    if isinstance(value, np.generic) and value.dtype.kind not in "OV":
        return "scalar", value.dtype.str, value.tobytes()
    if isinstance(value, np.dtype):
        return "dtype", str(value), value.descr if value.fields else value.str
    if type(value) is np.ufunc:
        return "ufunc", value.__name__, np.__version__
    return _pandas_parts(value) if type(value).__module__.partition(".")[0] == "pandas" else None


def _items(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.hasobject:
        return array.ravel().tolist()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _pandas_parts(value: Any) -> Parts | None:
    import pandas as pd

    name = type(value).__name__
    match value:
        case pd.DataFrame() | pd.Series() if type(value) in (pd.DataFrame, pd.Series):
            frame = value.to_frame() if isinstance(value, pd.Series) else value
            columns = [frame.iloc[:, place].array for place in range(frame.shape[1])]
            label = value.name if isinstance(value, pd.Series) else None
            return name, label, frame.columns, frame.index, value.attrs, *columns
        case pd.RangeIndex():
            return name, value.name, value.start, value.stop, value.step
        case pd.MultiIndex():
            return name, list(value.names), *map(value.get_level_values, range(value.nlevels))
        case pd.Index():
            return name, value.name, getattr(value, "freqstr", None), value.array
        case pd.Categorical():
            return name, value.codes, value.categories, bool(value.ordered)
        case pd.api.extensions.ExtensionArray():
            return name, str(value.dtype), _content(value)
        case pd.Timestamp():
            return name, value.value, value.unit, str(value.tz), value.fold
        case pd.Timedelta():
            return name, value.value, value.unit
        case _ if value is pd.NA or value is pd.NaT:
            return (name,)
    return None


def _content(array: Any) -> Any:
    """Return the items of a column: as numbers where they are numbers, one by one otherwise."""
    numbers = getattr(array, "asi8", None)
    return np.asarray(array, dtype=object) if numbers is None else numbers
