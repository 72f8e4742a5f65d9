"""Bars are judged on medians: of a figure, or of a ratio repeat by repeat."""

import pytest

from benchmarks.bars import BARS, Bar, Bound, Figure, Ratio, Verdict
from benchmarks.peers import PEERS
from benchmarks.results import Measurement, Record, Results
from benchmarks.suite import FULL, measurements

MINE = Figure("mine", "chain", "rate")
THEIRS = Figure("theirs", "chain", "rate")


def results(**rates: list[float]) -> Results:
    return Results(
        Record(
            measurement=Measurement(peer, "chain", 10), repeat=repeat, load_average=0, figures={"rate": rate}
        )
        for peer, values in rates.items()
        for repeat, rate in enumerate(values)
    )


@pytest.mark.parametrize(
    ("bound", "required", "verdict"),
    [
        (Bound.AT_LEAST, 3, Verdict.REACHED),
        (Bound.AT_LEAST, 3.1, Verdict.MISSED),
        (Bound.AT_MOST, 3, Verdict.REACHED),
        (Bound.AT_MOST, 2.9, Verdict.MISSED),
    ],
)
def test_judges_the_median_of_the_ratios_of_each_repeat(
    bound: Bound, required: float, verdict: Verdict
) -> None:
    bar = Bar("twice as fast", Ratio(MINE, THEIRS), bound, required, "x")
    assert bar.verdict(results(mine=[6, 10, 700, 8], theirs=[2, 5, 100])) is verdict


def test_a_figure_is_a_median() -> None:
    assert MINE.of(results(mine=[6, 1, 7])) == 6


def test_a_missing_figure_gives_no_verdict() -> None:
    bar = Bar("twice as fast", Ratio(MINE, THEIRS), Bound.AT_LEAST, 2, "x")
    assert bar.verdict(results(mine=[6])) is Verdict.NOT_MEASURED


def test_a_figure_without_a_size_is_taken_at_the_largest() -> None:
    records = [
        Record(
            measurement=Measurement("mine", "chain", size), repeat=0, load_average=0, figures={"rate": size}
        )
        for size in (10, 1000, 100)
    ]
    assert MINE.of(Results(records)) == 1000
    assert Figure("mine", "chain", "rate", size=10).of(Results(records)) == 10


def test_the_full_suite_measures_what_the_bars_read() -> None:
    measured = {(each.peer, each.workload) for each in measurements(FULL)}
    for bar in BARS:
        figures = (
            [bar.reading] if isinstance(bar.reading, Figure) else [bar.reading.dividend, bar.reading.divisor]
        )
        for figure in figures:
            assert (figure.peer, figure.workload) in measured
            assert figure.peer in PEERS
