"""The page and the plots, from raw numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import compare_report, environment, plot, report, results
from bench.machine import Machine
from bench.servers import SERVERS
from bench.summary import summarize

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = Machine("Some CPU", 2, True, "Linux 6.1", "CPython 3.11.7")
COSTS = {
    "floor": [3.0, 3.2, 3.1],
    "indrik": [6.0, 6.6, 6.3],
    "bjoern": [7.0, 7.1, 7.2],
    "gunicorn": [150.0, 160.0, 170.0],
}


REFUSED = "Error: not supported yet: later"


def rows(*names: str) -> list[results.Row]:
    """The rows of these servers, or those that have costs, and two that the build refused."""
    taken = [results.row(server, "1.0") for server in SERVERS if server.name in (names or COSTS)]
    refused = [server for server in SERVERS if server.name in ("indrik-gthread", "indrik-asgi-uvloop")]
    return taken + [results.row(server, "1.0", refused=REFUSED) for server in refused]


def compare_run(failures: int = 0) -> results.Run:
    samples = [
        {
            "case": "hello",
            "server": name,
            "round": number,
            "us": us,
            "us_user": us / 2,
            "rate": 1e6 / us,
            "busy": 0.99,
            "failures": failures,
        }
        for name, costs in COSTS.items()
        for number, us in enumerate(costs)
    ]
    conditions = {"wrk": "wrk 4", "connections": 64, "rounds": 3, "seconds": 5, "cases": ["hello"]}
    return results.Run("compare", "2026-01-02", MACHINE, conditions, rows(), samples)


def other_runs() -> list[results.Run]:
    idle = {
        "server": "indrik",
        "open": 10_000,
        "bytes_each": 1024,
        "alone_ms": 0.1,
        "newcomer_ms": 0.2,
        "newcomer_worst_ms": 3.0,
        "woken": 100,
        "asked_to_wake": 100,
    }
    hostile = {
        "server": "gunicorn",
        "alone_p50_ms": 0.5,
        "first_ms": None,
        "beside_p50_ms": None,
        "beside_p99_ms": None,
        "beside_worst_ms": None,
        "failed": 3,
        "growth": 2**20,
    }
    starts = [
        {"server": name, "milliseconds": 80.5, "cpu_milliseconds": 60, "memory": 20 * 2**20} for name in COSTS
    ]
    naps = [
        {
            "server": "gunicorn-gthread",
            "rate": rate,
            "us": 200.25,
            "p99_us": 70_000,
            "busy": 0.9,
            "failures": 1,
        }
        for rate in (4000.0, 4400.0)
    ]
    mixed = [
        {
            "server": "waitress",
            "quick": quick,
            "slow": 24,
            "p50_ms": 0.25 if quick else None,
            "p95_ms": 1.5 if quick else None,
            "p99_ms": 5.125 if quick else None,
            "worst_ms": 9.0 if quick else None,
            "failures": 0 if quick else 900,
        }
        for quick in (900, 0)
    ]
    dozing = {
        "server": "uvicorn",
        "asleep": 10_000,
        "bytes_each": 10_204,
        "alone_ms": 0.1,
        "newcomer_ms": 0.2,
        "newcomer_worst_ms": 1.5,
    }
    conditions = {"connections": 256, "threads": 64, "rounds": 3, "seconds": 2, "milliseconds": 10.0}
    quick = {"threads": 16, "slow": 12, "pace": 228, "connections": 32, "rounds": 3, "seconds": 4.0}
    return [
        results.Run("naps", "2026-01-02", MACHINE, conditions, rows("gunicorn-gthread"), naps),
        results.Run("mix", "2026-01-02", MACHINE, quick, rows("waitress", "hypercorn"), mixed),
        results.Run("doze", "2026-01-02", MACHINE, {"requests": 10_000}, rows("uvicorn"), [dozing]),
        results.Run("idle", "2026-01-02", MACHINE, {"connections": 10_000}, rows(), [idle]),
        results.Run("hostile", "2026-01-02", MACHINE, {"heads": 500, "readers": 50}, rows(), [hostile]),
        results.Run("startup", "2026-01-02", MACHINE, {"rounds": 10}, rows(), starts),
    ]


def test_costs_are_ordered_and_judged() -> None:
    costs = compare_report.cost(compare_run(), "hello")
    assert [name for name, _ in costs] == ["floor", "indrik", "bjoern", "gunicorn"]
    assert compare_report.verdict(costs) == ["indrik uses 0.89 times the CPU of the best peer, bjoern.\n"]
    assert compare_report.verdict(costs[2:]) == []
    assert compare_report.verdict(costs[:2]) == []


def test_the_best_kind_of_indrik_is_compared() -> None:
    costs = [(name, summarize([value])) for name, value in (("indrik-gthread", 5.0), ("indrik", 6.0))]
    costs += [("floor", summarize([1.0])), ("granian", summarize([10.0]))]
    said = compare_report.verdict(costs)
    assert said == ["indrik-gthread uses 0.50 times the CPU of the best peer, granian.\n"]
    assert compare_report.verdict([("indrik (uncompiled)", summarize([1.0])), *costs[3:]]) == []


def test_the_page_has_a_row_for_each_server() -> None:
    page = report.render([compare_run()])[report.PAGE]
    assert "| **indrik** | 6.30 (6.00-6.60) | 1.00 | 3.1 | 158,730 (151,515-166,667) | 0.99 | 0 |" in page
    assert "| bjoern | 7.10 (7.00-7.20) | 1.13 |" in page
    assert "| floor | 3.10 (3.00-3.20) | 0.49 |" in page
    assert "virtual machine with 2 CPUs (Some CPU), Linux 6.1, CPython 3.11.7" in page
    assert "python -m bench.launch bjoern APPLICATION 127.0.0.1 8000" in page


def test_a_refused_server_has_a_row_and_no_figures() -> None:
    dash = "\N{EN DASH}"
    text = report.render([compare_run(), *other_runs()])[report.PAGE]
    parts = {part.split("\n")[0]: part for part in text.split("\n## ")}
    for heading, kinds in {
        "CPU a request": ["gthread"],  # of the case's interface
        "Requests that wait": ["gthread", "asgi-uvloop"],
        "Quick requests beside slow ones": ["gthread"],
        "Sleepers by the thousand": ["asgi-uvloop"],
        "Idle connections": ["gthread", "asgi-uvloop"],
        "Start-up": ["gthread", "asgi-uvloop"],
    }.items():
        for kind in ("gthread", "asgi-uvloop"):
            row = f"| **indrik-{kind}** | not supported yet | {dash} |"
            assert (row in parts[heading]) == (kind in kinds), (heading, kind)
    assert REFUSED in parts["How each server was run"]


def test_each_interface_has_a_figure() -> None:
    run = compare_run()
    samples = [{**sample, "case": "asgi-hello"} for sample in run.samples]
    both = {**run.conditions, "cases": ["hello", "asgi-hello"]}
    run = results.Run("compare", run.date, run.machine, both, run.servers, [*run.samples, *samples])
    files = report.render([run])
    assert set(files) == {report.PAGE, "cpu-a-request.svg", "cpu-a-request-asgi.svg"}
    for name, text in files.items():
        assert name == report.PAGE or f"({name})" in files[report.PAGE]
        assert name == report.PAGE or len(bars(text)) == len(COSTS)
    assert "### ASGI: 13-byte answer, one request header (`asgi-hello`)" in files[report.PAGE]


def test_the_floor_does_not_say_where_bars_are_cut() -> None:
    values = [plot.Bar("floor", summarize([1.0]), counts=False), plot.Bar("a", summarize([10.0]))]
    assert plot.panel_scale(plot.Panel("t", [*values, plot.Bar("b", summarize([90.0]))])) == 40.0
    assert plot.panel_scale(plot.Panel("t", values[:1])) == 1.0


def test_failures_are_summed() -> None:
    page = report.render([compare_run(failures=7)])[report.PAGE]
    assert "| 0.99 | 21 |" in page


def test_every_measurement_has_its_section() -> None:
    page = report.render([compare_run(), *other_runs()])[report.PAGE]
    assert "| **indrik** | 10,000 | 1,024 | 0.10 | 0.20 | 3.00 | 100 of 100 |" in page
    assert (
        "| gunicorn-gthread | 4,200 (4,000-4,400) | 6,400 | 200.2 (200.2-200.2) | 70.0 | 0.90 | 2 |" in page
    )
    assert "| waitress | 0.25 | 1.50 | 5.12 | 9.0 | 48 | 900 |" in page
    assert "| uvicorn | 10,000 | 10,204 | 0.10 | 0.20 | 1.50 |" in page
    assert "| gunicorn | 0.50 | \N{EN DASH} |" in page
    assert "| bjoern | 80 (80-80) | 60 | 20.0 |" in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## CPU a request",
        "## Requests that wait",
        "## Quick requests beside slow ones",
        "## Sleepers by the thousand",
        "## Idle connections",
        "## Beside hostile clients",
        "## Start-up",
        "## How each server was run",
    ]


def test_raw_numbers_survive_the_file(tmp_path: Path) -> None:
    run = compare_run()
    path = results.save(run, tmp_path / "new")
    assert path.name == "compare.json"
    assert results.load(path) == run
    assert results.load(path).of("bjoern", round=1) == [run.samples[7]]


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    path.write_text('{"format": 99}')
    with pytest.raises(ValueError, match="not of format"):
        results.load(path)


def test_the_page_is_made_from_the_files_alone(tmp_path: Path) -> None:
    for run in [compare_run(), *other_runs()]:
        results.save(run, tmp_path)
    written = report.write(tmp_path)
    assert {path.name for path in written} == {report.PAGE, "cpu-a-request.svg"}
    expected = report.render([compare_run(), *other_runs()])
    assert {path.name: path.read_text(encoding="utf-8") for path in written} == expected


def test_the_published_page_is_fresh() -> None:
    folder = environment.ROOT / "docs" / "benchmarks"
    for name, text in (report.render(report.read(folder)) if folder.exists() else {}).items():
        published = (folder / name).read_text(encoding="utf-8")
        assert published == text, f"docs/benchmarks/{name} is stale: python -m bench report"


def bars(text: str) -> list[ElementTree.Element]:
    return [bar for bar in ElementTree.fromstring(text).findall(f"{SVG}rect") if "x" in bar.attrib]


def test_bars_are_to_scale_and_long_ones_cut() -> None:
    values = {"a": 10.0, "b": 20.0, "c & d": 500.0}
    panel = plot.Panel(
        "t < u", [plot.Bar(name, summarize([value]), name == "a") for name, value in values.items()]
    )
    text = plot.draw("title", "note", [panel])
    widths = [float(bar.attrib["width"]) for bar in bars(text)]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert widths[2] == pytest.approx(plot.LONGEST * widths[0], abs=0.2)
    assert [bar.attrib["class"] for bar in bars(text)] == ["ours", "bar", "bar"]
    root = ElementTree.fromstring(text)
    assert len([path for path in root.findall(f"{SVG}path") if path.attrib["class"] == "cut"]) == 1
    labels = [element.text for element in root.findall(f"{SVG}text")]
    assert "c & d" in labels
    assert "500.0" in labels


def test_nothing_is_drawn_outside_the_figure() -> None:
    panel = plot.Panel(
        "t", [plot.Bar("a", summarize([1.0, 1.0, 9.0])), plot.Bar("b", summarize([3.9, 4.0, 30.0]))]
    )
    figure = plot.draw("title", "note", [panel, panel])
    root = ElementTree.fromstring(figure)
    height = float(root.attrib["height"])
    for bar in bars(figure):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= plot.WIDTH
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= height
    for text in root.findall(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= plot.WIDTH - 30
        assert 0 < float(text.attrib["y"]) < height


def test_a_figure_reads_on_light_and_dark_pages() -> None:
    assert "prefers-color-scheme: dark" in compare_report.plots(compare_run())["cpu-a-request.svg"]
