"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench import measurements, report
from bench.machine import Machine
from bench.serverrow import Server


def test_a_whole_run_is_published_and_a_part_of_one_is_not() -> None:
    assert command.parse([]).out == command.PUBLISHED
    for arguments in (["--quick"], ["--only", "bjoern"], ["--cases", "hello"], ["--dimensions", "log"]):
        assert command.parse(arguments).out == command.SCRATCH
    assert command.parse(["--quick", "--out", "here"]).out == Path("here")


def test_what_is_given_counts_more_than_quick() -> None:
    options = command.parse(["--quick", "--rounds", "7"])
    assert (options.rounds, options.seconds) == (7, 1)
    assert command.parse([]).rounds == 3


def test_dimensions_can_be_chosen() -> None:
    chosen = command.parse(["growth", "--dimensions", "log, headers"]).chosen_dimensions
    assert [dimension.name for dimension in chosen] == ["headers", "log"]
    assert len(command.parse([]).chosen_dimensions) > 2
    with pytest.raises(SystemExit):
        command.parse(["--dimensions", "width"])


@pytest.mark.parametrize(
    ("arguments", "measured", "cases"),
    [
        ([], list(measurements.MEASUREMENTS), "hello asgi-hello"),
        (["compare", "--only", "wsgi"], ["compare"], "hello"),
        (["--only", "asgi"], list(measurements.MEASUREMENTS), "asgi-hello"),
        (["--only", "concurrency"], ["naps", "mix", "doze"], "hello asgi-hello"),
        (["concurrency"], ["naps", "mix", "doze"], "hello asgi-hello"),
        (["--only", "uvicorn, floor,mix,naps"], ["mix", "naps"], "asgi-hello"),
        (["--only", "floor"], list(measurements.MEASUREMENTS), "hello asgi-hello"),
        (["report"], [], "hello asgi-hello"),
    ],
)
def test_a_part_can_be_run(arguments: list[str], measured: list[str], cases: str) -> None:
    options = command.parse(arguments)
    assert options.measurements == measured
    taken = [case.name for case in measurements.cases_for(options)]
    assert [name for name in taken if name.endswith("hello")] == cases.split()


def test_what_is_refused_is_neither_run_nor_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = command.parse(["mix", "--only", "indrik-gthread,waitress", "--out", str(tmp_path)])
    options.refused = {"indrik-gthread": "not supported yet: later"}
    run_with: list[Server] = []

    def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
        run_with.extend(measurements.able(options))
        return []

    monkeypatch.setitem(measurements.MEASUREMENTS, "mix", measured)
    here = Machine("X", 2, True, "Linux 6.1", "CPython 3.11.7")
    run = measurements.measure("mix", options, here, {"indrik-gthread": "1", "waitress": "3"})
    assert [server.name for server in run_with] == ["waitress"]
    assert [(row.name, row.refused) for row in run.servers] == [
        ("indrik-gthread", "not supported yet: later"),
        ("waitress", ""),
    ]
    assert "--threads 16" in run.servers[1].command


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
    for what in measurements.MEASUREMENTS:
        if what != "compare":  # asks wrk for its version
            assert measurements.conditions(what, options)
        assert what in report.SECTIONS
