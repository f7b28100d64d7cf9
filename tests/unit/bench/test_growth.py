"""Cost as work grows: what is asked, how it is loaded and counted, and what the page says of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import (
    environment,
    exchange,
    growth,
    growth_report,
    launch,
    lineplot,
    measurements,
    report,
    results,
)
from bench.apps import GREETING
from bench.cases import WSGI_CASES
from bench.dimensions import BY_NAME, DIMENSIONS, OPTIONS, fields, path, told, value_text
from bench.httpload import Refused, crowd
from bench.machine import Machine
from bench.process import Running, serve
from bench.proctree import cpu_nanoseconds
from bench.serverrow import Server
from bench.servers import SERVERS

CPU = min(os.sched_getaffinity(0))
SVG = "{http://www.w3.org/2000/svg}"
ROWS = {server.name: server for server in SERVERS}
ours = Server("ours", "{python} -m indrik {crowd} --bind {host}:{port} {app}", "", "indrik")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("programs")
    environment.compile_programs(folder)
    return {**environment.places(), "peers": str(folder), "python": sys.executable}


class TestDimensions:
    def test_requests_have_what_their_value_says(self) -> None:
        for count in BY_NAME["headers"].values:
            head = fields(count).request("h").split(b"\r\n\r\n")[0]
            assert len(head.split(b"\r\n")) == count + 1
        for size in BY_NAME["paths"].values:
            assert len(path(size).request("h").split()[1]) == size
        for size in (0, 1_000):
            case = BY_NAME["bodies"].request(size)
            assert case.answer == b"%d" % size
            head, _, body = case.request("h").partition(b"\r\n\r\n")
            assert b"\r\nContent-Length: %d" % size in head
            assert len(body) == size

    def test_every_server_of_a_curve_has_a_row(self) -> None:
        for dimension in DIMENSIONS:
            assert set(dimension.servers) <= set(ROWS)
            assert set(dimension.quick) <= set(dimension.values)
        for name, server in OPTIONS:
            assert server in BY_NAME[name].servers

    def test_a_setting_gets_a_process_for_each_value(self) -> None:
        started = BY_NAME["workers"].settings(ROWS["fastpysgi"], (1, 8))
        assert [values for _, values in started] == [(1,), (8,)]
        here = {"peers": "p", "app": "a:b", "host": "h", "port": "1"}
        assert started[1][0].argv(here, crowded=True)[-2:] == ["1", "num_workers=8"]
        ((server, values),) = BY_NAME["headers"].settings(ROWS["indrik"], (1, 200))
        assert values == (1, 200)
        assert "--limit-request-fields 250" in " ".join(server.argv({**here, "indrik": "i"}, crowded=True))

    def test_a_log_that_is_off_is_not_asked_for(self) -> None:
        (off, _), (on, _) = BY_NAME["log"].settings(ROWS["uvicorn"], (0, 1))
        assert "--access-log" not in (off.crowd or "").split()
        assert "--access-log" in (on.crowd or "").split()

    def test_a_row_without_options_stays_as_it_is(self) -> None:
        assert told(ours, "").crowd == ""
        assert replace(told(ours, ""), crowd=ours.crowd) == ours

    @pytest.mark.parametrize(
        ("unit", "value", "text"),
        [
            ("", 10_000, "10,000"),
            ("B", 4_000, "4 kB"),
            ("B", 10, "10 B"),
            ("log", 0, "off"),
            ("log", 1, "on"),
        ],
    )
    def test_values_in_words(self, unit: str, value: int, text: str) -> None:
        assert value_text(unit, value) == text


class TestLoad:
    def plan(self, places: dict[str, str]) -> growth.Plan:
        return growth.Plan([ours], places, CPU, CPU, rounds=1, milliseconds=20)

    def test_a_turn_is_counted(self, places: dict[str, str], tmp_path: Path) -> None:
        bodies = replace(BY_NAME["bodies"], values=(0, 1_000_000), servers=("ours",))
        none, large = growth.take_turn(self.plan(places), bodies, ours, 1, tmp_path)
        for one in (none, large):
            assert one["failures"] == 0
            assert one["requests"] >= growth.LEAST
            assert one["us"] > 0
        assert (none["value"], large["value"], large["dimension"]) == (0, 1_000_000, "bodies")

    def test_many_connections_take_part(self, places: dict[str, str], tmp_path: Path) -> None:
        many = replace(BY_NAME["connections"], values=(300,), servers=("ours",))
        (one,) = growth.take_turn(self.plan(places), many, ours, 1, tmp_path)
        assert one["requests"] >= 300
        assert one["failures"] == 0

    def test_a_server_that_refuses_is_counted_out(self, places: dict[str, str], tmp_path: Path) -> None:
        headers = replace(BY_NAME["headers"], values=(1, 200), servers=("ours",))
        one, many = growth.take_turn(self.plan(places), headers, ours, 1, tmp_path)
        assert "out" not in one
        assert "431" in many["out"]
        assert "us" not in many

    def test_a_window_ends_with_every_answer(self, places: dict[str, str], tmp_path: Path) -> None:
        (hello,) = (case for case in WSGI_CASES if case.name == "hello")
        program = Path(places["peers"], "httpload")
        with serve(ours, "hello", places, CPU) as running:
            with crowd(program, hello, running.port, CPU, 3, 10, 0, 7, tmp_path) as load:
                first, second = load.window(), load.window()
            for window in (first, second):
                assert window.requests >= 7
                assert window.wrong == 0
                assert window.bytes % window.requests == 0
            wrong = replace(hello, answer=b"Hello, moon!!")
            with (
                pytest.raises(Refused, match=r"a wrong answer: HTTP/1.1 200"),
                crowd(program, wrong, running.port, CPU, 1, 10, 0, 1, tmp_path),
            ):
                pass
        with (
            pytest.raises(Refused, match="connect: Connection refused"),
            crowd(program, hello, running.port, CPU, 1, 10, 0, 1, tmp_path),
        ):
            pass

    def test_bodies_are_read_in_pieces_by_both_interfaces(self, places: dict[str, str]) -> None:
        case = BY_NAME["bodies"].request(200_000)
        hosted = replace(ours, command=ours.command.replace("{crowd}", "-k asgi"), interface="asgi")
        for server in (ours, hosted):
            with serve(server, "count", places, CPU) as running, exchange.connect(running.port) as connection:
                exchange.expect(exchange.ask(connection, case.request("h")), b"200000")
                exchange.expect(exchange.ask(connection, WSGI_CASES[0].request("h")), b"0")

    def test_cpu_is_counted_in_nanoseconds(self) -> None:
        code = "import time\nwhile time.process_time() < 0.05: pass\nprint(flush=True)\ninput()"
        shell = ["sh", "-c", f"{sys.executable} -c '{code}'; true"]
        with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            used = cpu_nanoseconds(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
        assert 50_000_000 <= used < 60_000_000_000

    def test_a_server_is_at_rest_when_its_workers_have_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        used = iter([0, 90_000_000, 150_000_000, 151_000_000, 400_000_000])
        monkeypatch.setattr(growth, "cpu_nanoseconds", lambda pid: next(used))
        growth.rest(Running(ours, 1, 1, 0.0))
        assert next(used) == 400_000_000

    def test_one_that_has_no_settings_refuses_them(self) -> None:
        with pytest.raises(SystemExit, match="bjoern has no settings"):
            launch.run_bjoern(lambda: GREETING, "h", 1, {"num_workers": 2})

    def test_quick_values_are_few(self) -> None:
        plan = growth.Plan(SERVERS, {}, 0, 1, 1, 1)
        whole = sum(len(plan.values(dimension)) for dimension, _ in plan.turns())
        few = replace(plan, quick=True)
        assert sum(len(few.values(dimension)) for dimension, _ in few.turns()) < whole / 1.5
        # At most twelve minutes: two rounds of windows of 0.8 s, and 0.5 s for each to warm up and begin.
        assert 2 * whole * 1.3 < 12 * 60
        assert "growth" in measurements.MEASUREMENTS


COSTS: dict[str, dict[int, float]] = {
    "indrik": {1: 5.0, 10: 10.0, 200: 120.0},
    "bjoern": {1: 10.0, 10: 11.0, 200: 20.0},
    "fastpysgi": {1: 10.0, 10: 20.0, 200: 200.0},
    "gunicorn-gthread": {1: 200.0, 10: 210.0, 200: 800.0},
    "indrik-asgi-uvloop": {1: 20.0, 10: 21.0, 200: 60.0},
    "uvicorn": {1: 50.0, 10: 60.0, 200: 150.0},
}


def growth_run(costs: dict[str, dict[int, float]] | None = None, dimension: str = "headers") -> results.Run:
    taken = costs or COSTS
    samples: list[dict[str, Any]] = [
        {"dimension": dimension, "value": value, "server": name, "round": number, "us": us, "failures": 0}
        for name, curve in taken.items()
        for value, us in curve.items()
        for number in (1, 2)
    ]
    if costs is None:
        keys = {"dimension": dimension, "server": "granian", "round": 1}
        samples += [
            {**keys, "value": 1, "us": 30.0, "failures": 2},
            {**keys, "value": 200, "out": "closed | it"},
        ]
    rows = [results.row(server, "1.0") for server in SERVERS if server.name in (*taken, "granian")]
    machine = Machine("Some CPU", 2, True, "Linux 6.1", "CPython 3.11.7")
    return results.Run("growth", "2026-01-02", machine, {"rounds": 2, "milliseconds": 800}, rows, samples)


class TestReport:
    def test_a_curve_that_grows_faster_is_named(self) -> None:
        wsgi, asgi = growth_report.verdicts(growth_run(), "headers")
        assert wsgi == (
            "**indrik**: 24.00 times (+115.0 µs); best peer bjoern 2.00 times (+10.0 µs); median peer 4.00"
            " times (+190.0 µs): **it grows faster than every peer's**, and adds less; steepest 0.83."
        )
        assert asgi.startswith("**indrik-asgi-uvloop**: 3.00 times (+40.0 µs); the peer uvicorn 3.00 times")
        assert "it does not grow faster than the peer's" in asgi

    def test_more_than_in_proportion_is_named(self) -> None:
        curves = {"indrik": {1: 1.0, 10: 100.0}, "bjoern": {1: 1.0, 10: 100.0}}
        (line,) = growth_report.verdicts(growth_run(curves), "headers")
        assert line.endswith(
            "it does not grow faster than the peer's; steepest 2.00, **more than in proportion**."
        )

    def test_faster_than_the_median_and_dearer(self) -> None:
        curves = {
            "indrik": {1: 10.0, 10: 30.0},
            "bjoern": {1: 10.0, 10: 50.0},
            "fastpysgi": {1: 10.0, 10: 11.0},
        }
        run = growth_run({**curves, "gunicorn": {1: 10.0, 10: 12.0}})
        assert "**it grows faster than the median peer's**;" in growth_report.verdicts(run, "headers")[0]

    def test_connections_count_from_sixty_four(self) -> None:
        curves = {"indrik": {1: 50.0, 64: 10.0, 1000: 20.0}, "bjoern": {1: 60.0, 64: 20.0, 1000: 20.0}}
        (line,) = growth_report.verdicts(growth_run(curves, "connections"), "connections")
        assert line.startswith("**indrik**: 2.00 times (+10.0 µs); the peer bjoern 1.00 times (+0.0 µs)")

    def test_nothing_is_judged_without_a_peer(self) -> None:
        assert growth_report.verdicts(growth_run({"indrik": {1: 1.0, 10: 2.0}}), "headers") == []

    def test_the_section_has_every_server_and_says_who_was_counted_out(self) -> None:
        files = report.render([growth_run()])
        page = files[report.PAGE]
        dash = "\N{EN DASH}"
        assert "### Request headers" in page
        assert "| **indrik** | 5.0 | 10.0 | 120.0 | 24.00 | 0 |" in page
        assert f"| granian | 30.0 | {dash} | {dash} | {dash} | 2 |" in page
        assert "- Counted out: granian at 200 (closed | it)." in page
        assert "indrik `--limit-request-fields 250`" in page
        assert "Some CPU" in page
        assert f"({growth_report.PLOT})" in page
        assert set(files) == {report.PAGE, growth_report.PLOT}

    def test_raw_numbers_come_first(self, tmp_path: Path) -> None:
        results.save(growth_run(), tmp_path)
        assert {path.name for path in report.write(tmp_path)} == {report.PAGE, growth_report.PLOT}


class TestPlot:
    def test_a_zero_stands_a_decade_before(self) -> None:
        assert lineplot.places((0, 10, 1000)) == pytest.approx({0: 0.0, 10: 1 / 3, 1000: 1.0})

    def test_the_scale_holds_every_cost(self) -> None:
        low, high = lineplot.span([3.0, 100.0])
        assert 10**low <= 3.0
        assert 10**high >= 100.0
        assert list(lineplot.ticks(0.0, 1.0)) == pytest.approx([1, 2, 5, 10])
        assert list(lineplot.ticks(0.0, 3.0)) == pytest.approx([1, 10, 100, 1000])
        assert [lineplot.tick_text(value) for value in (0.5, 20.0, 1e3, 5e6)] == ["0.5", "20", "1k", "5M"]

    def test_nothing_is_drawn_outside(self) -> None:
        text = growth_report.plots(growth_run())[growth_report.PLOT]
        assert "prefers-color-scheme: dark" in text
        root = ElementTree.fromstring(text)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        dots = root.findall(f"{SVG}circle")
        assert len(dots) == sum(len(curve) for curve in COSTS.values()) + 1  # granian's only point
        for dot in dots:
            assert 0 < float(dot.attrib["cx"]) < width
            assert 0 < float(dot.attrib["cy"]) < height
        labels = [element.text for element in root.findall(f"{SVG}text")]
        assert {"indrik", "Request headers", "200"} <= set(labels)

    def test_ours_are_thick_and_asgi_dashed(self) -> None:
        text = growth_report.plots(growth_run())[growth_report.PLOT]
        assert 'class="line l0 thick"' in text
        assert 'class="line l1 thick dashed"' in text

    def test_two_settings_are_no_curve(self) -> None:
        assert growth_report.plots(growth_run({"indrik": {0: 1.0, 1: 2.0}}, "log")) == {}


def test_a_generator_is_gone_when_its_block_ends(places: dict[str, str], tmp_path: Path) -> None:
    program = Path(places["peers"], "httpload")
    with serve(ours, "hello", places, CPU) as running:
        with crowd(program, WSGI_CASES[0], running.port, CPU, 1, 10, 0, 1, tmp_path) as load:
            pid = load.process.pid
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline
