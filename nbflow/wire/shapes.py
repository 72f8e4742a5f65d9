"""Own how functions and classes are taken apart and built again.

Both are built in two steps, an empty shell and then its content, because what is inside may refer to the
whole: recursion, `super()`, a method that makes instances of its own class.
"""

from __future__ import annotations

import functools
import linecache
import types
from collections.abc import Callable
from enum import Enum, EnumMeta
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast, final, is_typeddict

__all__ = [
    "EMPTY",
    "SHELLS",
    "Empty",
    "Place",
    "Shape",
    "cached",
    "cached_property",
    "class_shell",
    "class_state",
    "container_content",
    "container_shell",
    "enum_shell",
    "fill_class",
    "fill_container",
    "fill_function",
    "function_maker",
    "function_shell",
    "function_state",
    "type_variable",
]

Fill = Callable[[Any, Any], None]


class Empty(Enum):
    """Mark a closure's variable that has no value yet."""

    EMPTY = "empty"


EMPTY = Empty.EMPTY

_FIRST = ("__module__", "__slots__", "__doc__", "__orig_bases__")
"""Attributes that a class must have when it is made."""
_CLASS_OWN = {"__dict__", "__weakref__", "_abc_impl", "__slotnames__", *_FIRST}
_ENUM_OWN = {
    "__new__",
    "__new_member__",
    "_generate_next_value_",
    "_member_map_",
    "_member_names_",
    "_member_type_",
    "_new_member_",
    "_unhashable_values_",
    "_unhashable_values_map_",
    "_use_args_",
    "_value2member_map_",
    "_value_repr_",
    "_hashable_values_",
}


def function_shell(code: types.CodeType, name: str, module: str | None) -> types.FunctionType:
    """Make a function whose globals and closure are still empty."""
    cells = tuple(types.CellType() for _ in code.co_freevars)
    namespace = {"__builtins__": __builtins__, "__name__": module}
    return types.FunctionType(code, namespace, name, None, cells)


def function_maker(fn: types.FunctionType) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what makes the shell of `fn`, and its arguments."""
    return function_shell, (fn.__code__, fn.__name__, fn.__module__)


def function_state(
    fn: types.FunctionType,
    names: dict[str, Any],
    cells: list[Any],
    defaults: tuple[Any, ...] | None,
    keywords: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return what `fill_function` needs; what the function refers to is passed in, ready to be pickled."""
    return {
        "globals": names,
        "cells": cells,
        "defaults": defaults,
        "kwdefaults": keywords,
        "attributes": fn.__dict__,
        "annotations": fn.__annotations__,
        "doc": fn.__doc__,
        "qualname": fn.__qualname__,
        "module": fn.__module__,
        "source": _source(fn.__code__.co_filename),
    }


def fill_function(fn: types.FunctionType, state: dict[str, Any]) -> None:
    """Give a shell its content, and its source to whoever prints a traceback."""
    fn.__globals__.update(state["globals"])
    for cell, value in zip(fn.__closure__ or (), state["cells"], strict=True):
        if value is not EMPTY:
            cell.cell_contents = value
    fn.__defaults__ = state["defaults"]
    fn.__kwdefaults__ = state["kwdefaults"]
    fn.__dict__.update(state["attributes"])
    fn.__annotations__ = state["annotations"]
    fn.__doc__ = state["doc"]
    fn.__qualname__ = state["qualname"]
    fn.__module__ = state["module"]
    if (text := state["source"]) is not None:
        filename = fn.__code__.co_filename
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


def _source(filename: str) -> str | None:
    """Return the text of a notebook's cell, which the other side has no file of."""
    if Path(filename).exists():
        return None
    return "".join(linecache.getlines(filename)) or None


def class_shell(metaclass: type, name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> type:
    """Make a class that has its bases and slots and nothing else yet."""
    return types.new_class(name, bases, {"metaclass": metaclass}, lambda body: body.update(namespace))


def enum_shell(
    metaclass: type[EnumMeta],
    name: str,
    bases: tuple[Any, ...],
    namespace: dict[str, Any],
    members: dict[str, Any],
) -> type:
    """Make an enumeration that has its members and nothing else yet."""
    body: Any = metaclass.__prepare__(name, bases)
    for key, value in {**namespace, **members}.items():
        body[key] = value
    made: type = metaclass(name, bases, body)
    return made


def typed_dict_shell(name: str, module: str) -> type:
    """Make a TypedDict whose keys are still to be told."""
    make: Any = TypedDict
    made = make(name, {})
    made.__module__ = module
    return cast("type", made)


def _members(cls: EnumMeta) -> dict[str, Enum]:
    return dict(cls.__members__)


def class_state(cls: type) -> tuple[Callable[..., type], tuple[Any, ...], dict[str, Any]]:
    """Return what builds a class: the maker of its shell, the maker's arguments, the attributes to set."""
    slots = cls.__dict__.get("__slots__", ())
    own = _CLASS_OWN.union((slots,) if isinstance(slots, str) else slots)
    namespace = {key: cls.__dict__[key] for key in _FIRST if key in cls.__dict__}
    namespace["__qualname__"] = cls.__qualname__
    make: Callable[..., type]
    args: tuple[Any, ...]
    if is_typeddict(cls):
        make, args = typed_dict_shell, (cls.__name__, cls.__module__)
    elif isinstance(cls, EnumMeta):
        own = own | _ENUM_OWN | set(cls.__members__)
        members = {key: vars(member)["_value_"] for key, member in _members(cls).items()}
        make, args = enum_shell, (type(cls), cls.__name__, cls.__bases__, namespace, members)
    else:
        make, args = class_shell, (type(cls), cls.__name__, cls.__bases__, namespace)
    return (
        make,
        args,
        {key: value for key, value in cls.__dict__.items() if key not in own and _is_kept(value)},
    )


def _is_kept(value: Any) -> bool:
    """Leave out what Python makes for each class by itself."""
    return not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)


def fill_class(cls: type, attributes: dict[str, Any]) -> None:
    """Give a shell its attributes."""
    for name, value in attributes.items():
        type.__setattr__(cls, name, value)


def container_shell(kind: type) -> Any:
    """Make an empty list, dict or set."""
    return kind()


def fill_container(container: Any, content: list[Any]) -> None:
    """Put the items into a container."""
    if isinstance(container, list):
        container.extend(content)
    else:
        container.update(content)


def container_content(container: Any) -> list[Any]:
    """Return what `fill_container` needs."""
    return list(container.items() if isinstance(container, dict) else container)


SHELLS = frozenset((function_shell, class_shell, enum_shell, typed_dict_shell, container_shell))
"""Makers of what can be named before it is complete."""


@final
class Shape:
    """Be pickled as the recipe for something: make a shell, then fill it."""

    def __init__(self, make: Callable[..., Any], args: tuple[Any, ...], state: Any, fill: Fill) -> None:
        self._reduced = make, args, state, None, None, fill

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


@final
class Place:
    """Be pickled as `reduced` says: stand where a thing that has a name of its own belongs."""

    def __init__(self, reduced: tuple[Any, ...]) -> None:
        self._reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


def cached_property(fn: Callable[[Any], Any], name: str | None) -> functools.cached_property[Any]:
    """Make a cached property that knows its name already."""
    made = functools.cached_property(fn)
    made.attrname = name
    return made


def cached(fn: Callable[..., Any], parameters: dict[str, Any]) -> Callable[..., Any]:
    """Wrap a function in a cache that is still empty."""
    made: Callable[..., Any] = functools.lru_cache(**parameters)(fn)
    return made


def type_variable(name: str, constraints: tuple[Any, ...], kinds: dict[str, Any]) -> TypeVar:
    """Make a type variable."""
    made: TypeVar = TypeVar(name, *constraints, **kinds)  # type: ignore[misc]
    return made
