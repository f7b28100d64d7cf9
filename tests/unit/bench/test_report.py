"""The page and the plots, from raw numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import environment, plot, report, results
from bench.machine import Machine
from bench.servers import SERVERS
from bench.summary import summarize

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = Machine("Some CPU", 2, True, "Linux 6.1", "CPython 3.11.7")
COSTS = {"indrik": [6.0, 6.6, 6.3], "bjoern": [7.0, 7.1, 7.2], "gunicorn": [150.0, 160.0, 170.0]}


def rows() -> list[results.Row]:
    return [results.row(server, "1.0") for server in SERVERS if server.name in COSTS]


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
    return [
        results.Run("idle", "2026-01-02", MACHINE, {"connections": 10_000}, rows(), [idle]),
        results.Run("hostile", "2026-01-02", MACHINE, {"heads": 500, "readers": 50}, rows(), [hostile]),
        results.Run("startup", "2026-01-02", MACHINE, {"rounds": 10}, rows(), starts),
    ]


def test_costs_are_ordered_and_judged() -> None:
    costs = report.cost(compare_run(), "hello")
    assert [name for name, _ in costs] == ["indrik", "bjoern", "gunicorn"]
    assert report.verdict(costs) == ["indrik uses 0.89 times the CPU of the best peer, bjoern.\n"]
    assert report.verdict(costs[1:]) == []
    assert report.verdict(costs[:1]) == []


def test_the_page_has_a_row_for_each_server() -> None:
    page = report.render([compare_run()])[report.PAGE]
    assert "| **indrik** | 6.30 (6.00-6.60) | 1.00 | 3.1 | 158,730 (151,515-166,667) | 0.99 | 0 |" in page
    assert "| bjoern | 7.10 (7.00-7.20) | 1.13 |" in page
    assert "virtual machine with 2 CPUs (Some CPU), Linux 6.1, CPython 3.11.7" in page
    assert "python -m bench.launch bjoern APPLICATION 127.0.0.1 8000" in page


def test_failures_are_summed() -> None:
    page = report.render([compare_run(failures=7)])[report.PAGE]
    assert "| 0.99 | 21 |" in page


def test_every_measurement_has_its_section() -> None:
    page = report.render([compare_run(), *other_runs()])[report.PAGE]
    assert "| **indrik** | 10,000 | 1,024 | 0.10 | 0.20 | 3.00 | 100 of 100 |" in page
    assert "| gunicorn | 0.50 | \N{EN DASH} |" in page
    assert "| bjoern | 80 (80-80) | 60 | 20.0 |" in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## CPU a request",
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
    assert results.load(path).of("bjoern", round=1) == [run.samples[4]]


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    path.write_text('{"format": 99}')
    with pytest.raises(ValueError, match="not of format"):
        results.load(path)


def test_the_page_is_made_from_the_files_alone(tmp_path: Path) -> None:
    for run in [compare_run(), *other_runs()]:
        results.save(run, tmp_path)
    written = report.write(tmp_path)
    assert {path.name for path in written} == {report.PAGE, report.PLOT}
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
    assert "prefers-color-scheme: dark" in report.plot(compare_run())
