"""Numbers for readers: summaries, progress, CPUs, the machine."""

from __future__ import annotations

import io

import pytest

from bench import cpus, machine
from bench.progress import Progress, clock
from bench.summary import percentile, summarize


def test_a_summary_is_the_median_and_the_extremes() -> None:
    summary = summarize([3.0, 1.0, 20.0])
    assert (summary.median, summary.least, summary.greatest) == (3.0, 1.0, 20.0)
    assert summary.text(1) == "3.0 (1.0-20.0)"
    assert summarize([1000, 2000]).text() == "1,500 (1,000-2,000)"
    with pytest.raises(ValueError, match="nothing"):
        summarize([])


def test_percentiles_are_values_that_occurred() -> None:
    values = list(range(1, 101))
    assert [percentile(values, percent) for percent in (0, 50, 99, 99.5, 100)] == [1, 50, 99, 100, 100]
    assert percentile([7], 50) == 7
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_time_left_is_guessed_first_and_measured_then() -> None:
    now = 100.0
    out = io.StringIO()
    progress = Progress(steps=4, guess=6.0, out=out, now=lambda: now)
    assert progress.left() == 24.0
    now += 10.0
    progress.finish("one")
    assert progress.left() == 30.0
    now += 20.0
    progress.finish("two")
    assert progress.left() == 30.0
    assert out.getvalue() == "[1/4, 0:30 left] one\n[2/4, 0:30 left] two\n"
    assert clock(125.4) == "2:05"
    assert clock(-1) == "0:00"


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = Progress(steps=2, guess=1.0, out=out, now=lambda: 0.0)
    progress.begin("warming up")
    progress.finish("done")
    assert "[....................] 0/2 warming up, 0:02 left" in out.getvalue()
    assert out.getvalue().endswith("done\n[##########..........] 1/2")


@pytest.mark.parametrize(
    ("allowed", "cores", "chosen"),
    [
        ([0, 1], [{0}, {1}], (0, 1)),
        ([0, 1, 2, 3], [{0, 1}, {2, 3}], (0, 2)),
        ([0, 1], [{0, 1}], (0, 1)),
        ([5, 3], [{3}, {5}], (3, 5)),
    ],
)
def test_server_and_load_are_on_different_cores_where_there_are_two(
    allowed: list[int], cores: list[set[int]], chosen: tuple[int, int]
) -> None:
    assert cpus.choose(allowed, lambda cpu: next(core for core in cores if cpu in core)) == chosen


def test_one_cpu_is_too_few() -> None:
    with pytest.raises(cpus.TooFewCpus):
        cpus.choose([0], lambda cpu: {cpu})


@pytest.mark.parametrize(("text", "expected"), [("0\n", {0}), ("0-2,8", {0, 1, 2, 8}), ("3,1", {1, 3})])
def test_cpu_lists_of_the_kernel(text: str, expected: set[int]) -> None:
    assert cpus.parse_cpu_list(text) == expected


def test_the_processor_is_named_by_its_model() -> None:
    text = "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nflags\t\t: fpu hypervisor sse\n\nprocessor\t: 1\n"
    assert machine.parse_cpuinfo(text) == ("Some CPU @ 2GHz", True)
    assert machine.parse_cpuinfo("model name: X\nflags: fpu\n") == ("X", False)
    assert machine.parse_cpuinfo("")[0]


def test_the_machine_is_described_without_its_name() -> None:
    import platform

    text = machine.describe().text
    assert "CPUs" in text
    assert platform.python_version() in text
    assert f" {platform.node()} " not in text.replace(",", " ")
