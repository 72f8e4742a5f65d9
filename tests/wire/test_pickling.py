"""Which pickler does what, and what must never travel."""

import io
import json
import pickle
import socket
import threading
import types

import pytest

from nbflow.wire.pickling import Loader, Refused, dump, named


def refuse(thing):
    raise AssertionError(thing)


def there_and_back(value):
    return Loader(dump(value, refuse), (), refuse).load()


def test_what_pickle_cannot_do_dill_does():
    assert list(there_and_back({"a": 1}.keys())) == ["a"]
    assert there_and_back([types.MappingProxyType({"a": 1}), json]) == [{"a": 1}, json]


@pytest.mark.parametrize(
    "make",
    [
        threading.Lock,
        threading.RLock,
        threading.Event,
        threading.Thread,
        socket.socket,
        lambda: (i for i in ()),
    ],
)
def test_what_belongs_to_this_process_is_refused(make):
    value = make()
    with pytest.raises(Refused, match="this process only"):
        dump([value], refuse)
    getattr(value, "close", bool)()


def test_buffers_in_memory_are_no_open_files():
    assert there_and_back(io.BytesIO(b"a")).read() == b"a"


def test_names_are_resolved_by_the_reader():
    def f():
        pass

    data = dump([f, f], lambda thing: (named, (thing.__name__,)))
    assert Loader(data, (), lambda name: name.upper()).load() == ["F", "F"]
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(data)
