"""Instructions by stage: profiles, the table of stages, budgets, and the block of the page."""

from __future__ import annotations

import importlib
import operator
import os
import re
import threading
from pathlib import Path

import pytest

from bench import environment
from bench.budget import __main__ as command
from bench.budget import budgets, marks, page, profile, run, stages
from bench.budget.stages import BOOKKEEPING, CALL, KINDS, MEANING, PARSE, READ, Part

PROFILE = """\
version: 1
positions: line
events: Ir
fl=(1) a.c
fn=(1) main
16 400
cfn=(2) turn
calls=2 50
16 900
fn=(2)
51 100
cfi=(2) b.c
cfn=(3) parse
calls=2 20
51 800
fn=(3)
20 700
cfn=(4) parse'2
calls=1 20
+3 100
fn=(4)
21 100
summary: 1300
"""


class TestProfile:
    def test_calls_are_summed_by_names(self) -> None:
        one = profile.parse(PROFILE)
        assert one.total == 1300
        assert one.calls == {("main", "turn"): 900, ("turn", "parse"): 800, ("parse", "parse"): 100}
        assert one.names() == {"turn", "parse"}

    def test_calls_among_the_same_function_count_once(self) -> None:
        one = profile.parse(PROFILE)
        assert one.inclusive(["parse"]) == 800
        assert one.inclusive(["turn", "parse"]) == 900
        assert one.inclusive(["nobody"]) == 0

    def test_one_run_is_taken_from_another(self) -> None:
        one = profile.parse(PROFILE)
        more = profile.Profile(2300, {("main", "turn"): 1800, ("turn", "send"): 5})
        left = more.minus(one)
        assert left.total == 1000
        assert left.calls[("main", "turn")] == 900
        assert left.calls[("turn", "send")] == 5
        assert left.calls[("turn", "parse")] == -800

    def test_a_file_that_is_no_profile_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "out.1.1"
        path.write_text("version: 1\n")
        with pytest.raises(profile.Malformed, match=r"out.1.1: no line `summary:`"):
            profile.read(path)


class TestStages:
    def test_names_as_cython_and_gcc_write_them(self) -> None:
        pattern = stages.compiled_name("engine.loop.Engine.turn")
        for name in ("f_6indrik_6engine_4loop_6Engine_turn", "pw_6indrik_6engine_4loop_6Engine_13turn"):
            assert pattern.fullmatch(f"__pyx_{name}")
            assert pattern.fullmatch(f"__pyx_{name}.constprop.0")
        assert not pattern.fullmatch("__pyx_f_6indrik_6engine_4loop_6Engine_return")
        assert not pattern.fullmatch("__pyx_f_6indrik_6engine_4loop_6Engine_turn_on")

    def test_the_stages_are_all_of_a_profile(self) -> None:
        parts = (Part("a.B.read", READ), Part("a.B.parse", PARSE, "a.B.read"), Part("a.B.call", CALL))
        names = {name: f"__pyx_f_6indrik_1a_1B_{name}" for name in ("read", "parse", "call")}
        calls = {
            ("loop", names["read"]): 1000,
            (names["read"], names["parse"]): 600,
            ("loop", names["call"]): 300,
            (names["call"], "python"): 200,
        }
        split = stages.split(parts, profile.Profile(2000, calls))
        assert split == {READ: 400, PARSE: 600, CALL: 300, BOOKKEEPING: 700}

    def test_a_stage_of_several_functions(self) -> None:
        parts = (Part("a.read", READ), Part("a.call", CALL), Part("a.end", BOOKKEEPING, "a.call"))
        calls = {("", f"__pyx_f_6indrik_1a_{name}"): 100 for name in ("read", "call", "end")}
        split = stages.split(parts, profile.Profile(1000, calls))
        assert split == {READ: 100, CALL: 0, BOOKKEEPING: 900}

    def test_a_function_that_is_gone_is_named(self) -> None:
        with pytest.raises(stages.Renamed, match=r"no function indrik.a.B.read ran"):
            stages.split([Part("a.B.read", READ)], profile.Profile(1, {}))

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    def test_the_functions_of_the_table_exist(self, kind: stages.Kind) -> None:
        functions = {part.function for part in kind.parts}
        for part in kind.parts:
            module, owner, name = part.function.rsplit(".", 2)
            loaded = importlib.import_module(f"indrik.{module}")
            assert not part.inside or part.inside in functions
            file = str(loaded.__file__)
            if file.endswith(".so"):
                # The build keeps its symbols.
                names = re.findall(rb"__pyx_[\w.]+", Path(file).read_bytes())
                assert stages.found(part.function, (found.decode() for found in names))
            else:
                assert callable(operator.attrgetter(f"{owner}.{name}")(loaded))

    def test_every_stage_has_a_meaning(self) -> None:
        for kind in KINDS:
            assert {part.stage for part in kind.parts} <= set(MEANING)


COUNTS = {"sync": {"hello": {"read": 1010, "parse": 2900}, "browser": {"read": 1700, "parse": 14_800}}}


class TestBudgets:
    def allowed(self, parse: int) -> budgets.Budgets:
        counts = {
            "sync": {"hello": {"read": 1000, "parse": parse}, "browser": {"read": 1700, "parse": 14_800}}
        }
        return budgets.Budgets(budgets.here(), counts)

    def test_five_per_cent_are_let_pass(self) -> None:
        assert budgets.overruns(COUNTS, self.allowed(2900)) == []
        assert budgets.overruns(COUNTS, self.allowed(2762)) == []
        assert budgets.overruns(COUNTS, self.allowed(2700)) == [
            "sync, hello: parse takes 2,900 instructions, its budget is 2,700: 7.4% over"
        ]

    def test_a_stage_without_a_budget_is_named(self) -> None:
        none = budgets.Budgets(budgets.here(), {})
        assert budgets.overruns(COUNTS, none)[0] == "sync, hello: read has no budget"

    def test_what_is_accepted_is_rounded_up_and_kept(self, tmp_path: Path) -> None:
        before = budgets.Budgets("another", {"asgi": {"hello": {"read": 5}}})
        made = budgets.accepted(COUNTS, before)
        assert made.of("sync", "hello", "read") == 1050
        assert made.of("sync", "hello", "parse") == 2900
        assert made.of("asgi", "hello", "read") == 5
        assert made.made_for == budgets.here()
        budgets.save(made, tmp_path / "b.json")
        assert budgets.load(tmp_path / "b.json") == made
        assert budgets.overruns(COUNTS, made) == []

    def test_an_unsteady_stage_has_no_budget(self) -> None:
        counts = {"gthread": {"hello": {READ: 1010, BOOKKEEPING: 9000}}}
        made = budgets.accepted(counts, budgets.Budgets("", {}))
        assert made.counts == {"gthread": {"hello": {READ: 1050}}}
        assert budgets.overruns(counts, made) == []
        # Of another kind it is as steady as all others.
        assert budgets.overruns({"sync": counts["gthread"]}, budgets.Budgets("", {})) == [
            f"sync, hello: {stage} has no budget" for stage in (READ, BOOKKEEPING)
        ]


class TestPage:
    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        hello = {"accept": 20_000, "read": 1010, "parse": 2900}
        return {kind.name: {"hello": hello, "browser": {"read": 1700, "parse": 14_800}} for kind in KINDS}

    def test_the_block_has_counts_and_budgets(self) -> None:
        allowed = budgets.accepted(self.counts(), budgets.Budgets("", {}))
        text = page.block(self.counts(), allowed)
        dash = "\N{EN DASH}"
        assert f"| {MEANING['accept']} |  | 20,000 | {dash} | {dash} | {dash} |" in text
        assert "| `HeadParser.parse` | 2,900 | 2,900 | 14,800 | 14,800 |" in text
        assert "| all | without accept |  | 3,910 | 3,950 | 16,500 | 16,500 |" in text
        assert text.startswith(page.BEGIN)
        assert text.endswith(page.END)

    def test_only_the_block_is_replaced(self, tmp_path: Path) -> None:
        file = tmp_path / "page.md"
        file.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
        page.write(self.counts(), budgets.Budgets("", {}), file)
        text = file.read_text()
        assert text.startswith(f"before\n{page.BEGIN}")
        assert text.endswith(f"{page.END}\nafter\n")
        assert "old" not in text
        page.write(self.counts(), budgets.Budgets("", {}), file)
        assert file.read_text() == text
        with pytest.raises(page.NoBlock, match="needs the lines"):
            page.replace("nothing", "block")

    def test_the_published_page_has_the_budgets_of_the_file(self) -> None:
        text = page.PAGE.read_text(encoding="utf-8")
        shown = text.partition(page.BEGIN)[2].partition(page.END)[0]
        allowed = budgets.load()
        sections = re.split(r"^## Kind (\w+) .*$", shown, flags=re.MULTILINE)[1:]
        assert sections[::2] == [kind.name for kind in KINDS]
        for name, section in zip(sections[::2], sections[1::2], strict=True):
            rows = {
                cells[0]: cells for cells in (line.strip("| ").split(" | ") for line in section.splitlines())
            }
            for request, column in (("hello", 4), ("browser", 6)):
                for stage, budget in allowed.counts[name][request].items():
                    assert rows[stage][column] == f"{budget:,}", (name, request, stage)


class TestCommand:
    def test_kinds_can_be_chosen(self) -> None:
        assert [kind.name for kind in command.parse(["--only", "asgi, sync"]).kinds] == ["sync", "asgi"]
        for wrong in (["--only", "gevent"], ["--only", "sync", "--write"]):
            with pytest.raises(SystemExit):
                command.parse(wrong)

    def outcome(self, monkeypatch: pytest.MonkeyPatch, allowed: budgets.Budgets) -> int:
        monkeypatch.setattr(environment, "prepare_system", lambda packages: None)
        monkeypatch.setattr(run, "measure", lambda kind: COUNTS["sync"])
        monkeypatch.setattr(budgets, "load", lambda: allowed)
        return command.main(["--only", "sync"])

    def test_the_exit_status_says_whether_all_is_within(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        kept = budgets.accepted(COUNTS, budgets.Budgets("", {}))
        assert self.outcome(monkeypatch, kept) == 0
        lower = budgets.Budgets(
            budgets.here(), {"sync": {**COUNTS["sync"], "hello": {"read": 900, "parse": 2900}}}
        )
        assert self.outcome(monkeypatch, lower) == 1
        assert "OVER BUDGET: sync, hello: read takes 1,010" in capsys.readouterr().err
        assert self.outcome(monkeypatch, budgets.Budgets("CPython 2.7, vax", lower.counts)) == 0
        assert "not compared" in capsys.readouterr().err

    def test_a_renamed_function_fails_clearly(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def gone(kind: stages.Kind) -> None:
            raise stages.Renamed("no function indrik.x ran")

        monkeypatch.setattr(environment, "prepare_system", lambda packages: None)
        monkeypatch.setattr(run, "measure", gone)
        assert command.main(["--only", "sync"]) == 1
        assert "no function indrik.x ran" in capsys.readouterr().err


class TestRun:
    def test_a_mark_is_one_call_that_nothing_else_makes(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        called: list[str] = []
        path = str(tmp_path / "marks")
        monkeypatch.setenv(marks.PATH, path)
        monkeypatch.setattr(os, "getloadavg", lambda: called.append(threading.current_thread().name))
        marks.start()
        for count in (1, 2):
            marks.cut(path, 10.0)
            assert len(called) == count
        assert threading.main_thread().name not in called

    def test_without_the_variable_nothing_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(marks.PATH, raising=False)
        before = threading.active_count()
        marks.start()
        assert threading.active_count() == before

    def test_the_command_traces_one_worker(self, tmp_path: Path) -> None:
        for kind in KINDS:
            words = run.command(kind, 80, tmp_path)
            assert words[0] == "valgrind"
            assert f"--dump-before={marks.FUNCTION}" in words
            assert "--workers" not in words
            assert words[-1] == f"bench.budget.{kind.module}:hello"

    def test_numbers_are_of_one_request(self) -> None:
        assert run.each({"read": 2_000_000}) == {"read": 1000}

    def test_a_server_that_ends_is_reported_with_its_log(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(run, "command", lambda kind, port, folder: ["sh", "-c", "echo no valgrind >&2"])
        with (
            pytest.raises(run.Failed, match=r"(?s)sync does not serve:.*no valgrind"),
            run.worker(KINDS[0], tmp_path),
        ):
            pass
