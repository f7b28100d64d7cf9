"""The command line of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import __main__ as command
from bench import report


def test_a_whole_run_is_published_and_a_part_of_one_is_not() -> None:
    assert command.parse([]).out == command.PUBLISHED
    for arguments in (["--quick"], ["--only", "bjoern"], ["--cases", "hello"]):
        assert command.parse(arguments).out == command.SCRATCH
    assert command.parse(["--quick", "--out", "here"]).out == Path("here")


def test_what_is_given_counts_more_than_quick() -> None:
    options = command.parse(["--quick", "--rounds", "7"])
    assert (options.rounds, options.seconds) == (7, 1)
    assert command.parse([]).rounds == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--only", "apache"], "no server named 'apache'"),
        (["--cases", "x"], "no case named 'x'"),
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["everything"], "invalid choice"),
    ],
)
def test_wrong_options_are_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.parse(arguments)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_the_list_shows_servers_and_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert "fastpysgi" in shown
    assert "post10k" in shown


def test_every_measurement_has_conditions_and_a_section() -> None:
    options = command.parse([])
    for what in command.MEASUREMENTS:
        if what != "compare":  # asks wrk for its version
            assert command.conditions(what, options)
        assert what in report.SECTIONS
