"""Messages: every call of a bundle stands and falls alone."""

import pickle
import threading

import numpy as np
import pytest

from nbflow.core.ids import TaskId, TryId
from nbflow.errors import NotPicklable, NotReadable
from nbflow.wire.bundles import (
    Bundle,
    GivenBack,
    Outcome,
    Outcomes,
    Recall,
    Stop,
    decode_order,
    decode_report,
    encode_bundle,
    encode_given_back,
    encode_outcomes,
    encode_plain,
    encode_recall,
    encode_stop,
)
from nbflow.wire.functions import Portable
from nbflow.wire.messages import PYTHON, Call, Directive, Kind
from nbflow.wire.values import Definitions


def make_calls(fn, *arguments, directive=PYTHON):
    function = Portable(fn).snapshot(encode=True)
    return [
        Call(TaskId(n), TryId(1), function, lambda args=args: (args, {}), directive)
        for n, args in enumerate(arguments)
    ]


def arrived(frames):
    return [bytearray(frame) for frame in frames]


def order(calls, known=None, definitions=None):
    frames, failures = encode_bundle(calls, set() if known is None else known)
    return decode_order(arrived(frames), definitions or Definitions()), failures


def report(*outcomes):
    frames = encode_outcomes(outcomes, Definitions(), set())
    return decode_report(arrived(frames), Definitions()).outcomes


def test_calls_arrive_in_order_with_their_directives():
    bash = Directive(kind=Kind.BASH, walltime=3.0)
    first, second = make_calls(lambda x: x, (1,), ([2],))
    third = make_calls(lambda x: x, ("3",), directive=bash)[0]
    bundle, failures = order([first, second, third])
    assert failures == []
    assert isinstance(bundle, Bundle)
    assert [parcel.open()[1] for parcel in bundle.parcels] == [((1,), {}), (([2],), {}), (("3",), {})]
    assert [parcel.directive for parcel in bundle.parcels] == [PYTHON, PYTHON, bash]


def test_B4_one_bad_argument_fails_its_call_alone():
    calls = make_calls(lambda x: x, (1,), (threading.Lock(),), (3,))
    bundle, failures = order(calls)
    assert [parcel.task for parcel in bundle.parcels] == [0, 2]
    assert [call for call, _ in failures] == [calls[1]]
    assert failures[0][1].path == "args[0]"


def broken():
    raise KeyError("lost")


def test_B4_arguments_that_cannot_be_made_fail_their_call_alone():
    calls = make_calls(lambda x: x, (1,), (2,))
    calls[0].arguments = broken
    bundle, failures = order(calls)
    assert [parcel.task for parcel in bundle.parcels] == [1]
    assert isinstance(failures[0][1], NotPicklable)


class Poison:
    def __reduce__(self):
        return int, ("poison",)


def test_B4_one_unreadable_argument_fails_its_call_alone():
    bundle, failures = order(make_calls(lambda x: x, (1,), (Poison(),)))
    assert failures == []
    assert bundle.parcels[0].open()[1] == ((1,), {})
    with pytest.raises(NotReadable, match="poison"):
        bundle.parcels[1].open()


def test_definitions_travel_once():
    known, definitions = set(), Definitions()
    calls = make_calls(lambda x: x + 1, (1,))
    first, _ = encode_bundle(calls, known)
    again, _ = encode_bundle(calls, known)
    assert len(again[0]) < len(first[0])
    decode_order(arrived(first), definitions)
    fn, (args, _) = decode_order(arrived(again), definitions).parcels[0].open()
    assert fn(*args) == 2


def test_definitions_that_nobody_holds_are_forgotten():
    known, definitions = set(), Definitions()
    frames, _ = encode_bundle(make_calls(lambda: 1, ()), known)
    decode_order(arrived(frames), definitions).parcels[0].open()
    (token,) = known
    frames, _ = encode_bundle(make_calls(lambda: 2, ()), known)
    bundle = decode_order(arrived(frames), definitions)
    assert token not in known
    assert definitions.get(token)() == 1, "calls that arrived before may still need it"
    assert bundle.parcels[0].open()[0]() == 2
    with pytest.raises(NotReadable):
        definitions.get(token)


def test_large_buffers_are_frames_of_their_own():
    array = np.ones(1 << 20)
    frames, _ = encode_bundle(make_calls(len, (array,), (b"x" * (2 << 20),)), set())
    assert len(frames) == 3
    assert len(frames[0]) < 10_000
    bundle = decode_order(arrived(frames), Definitions())
    assert (bundle.parcels[0].open()[1][0][0] == array).all()
    assert bundle.parcels[1].open()[1][0][0] == b"x" * (2 << 20)


def test_orders_without_calls():
    tries = [(TaskId(1), TryId(2))]
    assert decode_order(arrived(encode_recall(tries)), Definitions()) == Recall(tries)
    assert decode_order(arrived(encode_stop()), Definitions()) == Stop()
    assert decode_report(arrived(encode_given_back(tries, is_answer=True)), Definitions()) == GivenBack(
        tries, True
    )


def test_outcomes_carry_values_errors_time_and_output():
    array = np.ones(1 << 18)
    plain, large, failed = report(
        Outcome(TaskId(1), TryId(1), 5, None, 0.25, ("out", 3), ("err", 99)),
        Outcome(TaskId(2), TryId(1), array),
        Outcome(TaskId(3), TryId(2), None, ValueError("x")),
    )
    assert (plain.task, plain.value, plain.seconds, plain.stdout, plain.stderr) == (
        1,
        5,
        0.25,
        ("out", 3),
        ("err", 99),
    )
    assert (large.value == array).all()
    assert (type(failed.error), failed.try_id) == (ValueError, 2)


def test_B4_bad_results_fail_alone():
    good, locked, poisoned = report(
        Outcome(TaskId(1), TryId(1), 1),
        Outcome(TaskId(2), TryId(1), {"a": threading.Lock()}),
        Outcome(TaskId(3), TryId(1), Poison()),
    )
    assert good.value == 1
    assert locked.error.path == "result['a']"
    assert isinstance(poisoned.error, NotReadable)


def test_an_outcome_can_be_encoded_before_it_changes():
    from nbflow.wire.values import encode

    value = [1]
    outcome = Outcome(TaskId(1), TryId(1), encode(value, what="result"))
    value.append(2)
    assert report(outcome)[0].value == [1]


def test_the_head_is_one_pickle_of_plain_calls():
    frames, _ = encode_bundle(make_calls(len, *((str(n),) for n in range(100))), set())
    assert len(frames) == 1
    assert len(pickle.loads(frames[0])[3]) == 100
    assert isinstance(
        decode_report(arrived(encode_outcomes([], Definitions(), set())), Definitions()), Outcomes
    )


def inert(calls):
    for call in calls:
        call.is_inert = True
    return calls


def test_plain_calls_of_a_known_function_are_sent_as_they_are():
    calls = inert(make_calls(lambda x, y=2: x, (1,), ("two",)))
    known, definitions = set(), Definitions()
    assert encode_plain(calls, known) is None
    order(calls[:1], known, definitions)
    bundle = decode_order(arrived(encode_plain(calls, known)), definitions)
    assert [parcel.open()[1] for parcel in bundle.parcels] == [((1,), {}), (("two",), {})]


def test_what_may_run_code_or_has_to_be_pickled_is_not_sent_plainly():
    known = set()
    calls = make_calls(lambda x: x, (1,), ([1],))
    order(calls, known)
    assert encode_plain(calls[:1], known) is None, "its arguments may take a user's code to be put together"
    assert encode_plain(inert(calls), known) is None, "a list is not plain"
    assert encode_plain(calls[:1], known) is not None
    calls[0].arguments = broken
    assert encode_plain(calls[:1], known) is None, "this call has to fail alone"
