"""The suite finds what is broken, says so, and takes no nonsense."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indrik.testing import (
    BROKEN,
    KEPT,
    NOT_PROMISED,
    Outcome,
    Report,
    check_names,
    check_worker,
    sharing_names,
    suite,
)
from indrik.testing.promises import CHECKS
from indrik.testing.server import Server
from indrik.workers.sync import SyncWorker
from tests.workers import broken_kinds
from tests.workers.kinds import ALONE, TOGETHER

#: Kind -> the check that must find it out.
CULPRITS = {
    "LeavesInHaste": "serves_its_backlog_on_term",
    "SleepsTooLong": "beats_while_idle",
    "IgnoresQuit": "ends_at_once_on_quit",
    "ForgetsHooks": "calls_request_hooks",
    "ClosesTwice": "closes_once",
    "TellsWhy": "survives_raising_before",
    "CollectsStreams": "survives_raising_in_the_middle",
    "ReusesAContext": "isolates_contexts",
}


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.mark.parametrize(("kind", "name"), CULPRITS.items(), ids=CULPRITS)
def test_a_broken_promise_is_found(importable: None, kind: str, name: str) -> None:
    report = check_worker(f"broken_kinds.{kind}", only=[name, "serves"])
    assert {outcome.name: outcome.verdict for outcome in report.outcomes} == {"serves": KEPT, name: BROKEN}
    with pytest.raises(AssertionError) as caught:
        report.raise_if_broken()
    text = str(caught.value)
    assert f"{name} is broken: {CHECKS[name].promise}" in text
    assert f"Using worker: broken_kinds.{kind}" in text  # the server's log is shown


def test_every_broken_kind_is_tried() -> None:
    kinds = {name for name, one in vars(broken_kinds).items() if isinstance(one, type)}
    assert {name for name in kinds if name[0].isupper()} - {"Callable", "FrameType", "Any"} == {
        *CULPRITS,
        "SyncWorker",
        "Wrapping",
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", [TOGETHER, *((name,) for name in ALONE)], ids=lambda names: names[0])
def test_the_asgi_application(importable: None, names: tuple[str, ...]) -> None:
    """It does what the WSGI one does: a plain kind that calls it keeps every promise."""
    kind = "asgi_kind.PlainASGIWorker"
    report = check_worker(kind, options=("--threads", "4"), application_kind="asgi", only=names)
    report.raise_if_broken()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """The servers that are started to be shared."""
    found: list[Server] = []

    def start(*arguments: Any) -> Server:
        found.append(Server(*arguments))
        return found[-1]

    monkeypatch.setattr(suite, "Server", start)
    return found


def test_checks_share_a_server(started: list[Server]) -> None:
    """It has answered all of them, and is gone with the last."""
    report = check_worker(SyncWorker, only=["serves", "keeps_alive", "streams", "calls_worker_hooks"])
    report.raise_if_broken()
    assert len(started) == 1
    assert started[0].process.poll() is not None


def test_a_check_finds_nothing_of_the_one_before(started: list[Server]) -> None:
    """Notes, gates and lines in the log of a server that is shared."""
    report = check_worker(SyncWorker, only=["serves", "continues", "streams", "survives_raising_before"])
    report.raise_if_broken()
    (server,) = started
    folder = server.log_path.parent
    folder.mkdir()
    try:
        server.log_path.write_text("a line\n")
        server.notes_path.write_text("a note\n")
        server.open_gate("a")
        server.begin_anew()
        assert (server.log(), server.notes(), list(folder.glob("gate-*"))) == ("", [], [])
        with server.log_path.open("a") as log, server.notes_path.open("a") as notes:
            log.write("another line\n")
            notes.write("another note\n")
        assert (server.log(), server.notes()) == ("another line\n", ["another note"])
        assert server.whole_log() == "a line\nanother line\n"
    finally:
        shutil.rmtree(folder)


def test_a_failure_ends_the_sharing(importable: None, started: list[Server]) -> None:
    """Nobody knows what a check that failed has left behind."""
    names = ["serves", "survives_raising_before", "survives_raising_after"]
    report = check_worker("broken_kinds.TellsWhy", only=names)
    assert [outcome.verdict for outcome in report.outcomes] == [KEPT, BROKEN, KEPT]
    assert len(started) == 2


def test_the_asgi_application_is_asked_everything() -> None:
    assert sorted([*TOGETHER, *ALONE]) == sorted(check_names())
    assert set(sharing_names()) <= set(TOGETHER)


def test_a_kind_that_does_not_start_is_broken() -> None:
    report = check_worker("nowhere.Kind", only=["serves"])
    assert [outcome.verdict for outcome in report.outcomes] == [BROKEN]
    assert "there is no module 'nowhere'" in str(report)


def test_a_class_will_do() -> None:
    report = check_worker(SyncWorker, only=["serves"])
    report.raise_if_broken()
    assert report.worker == "indrik.workers.sync.SyncWorker"


def test_a_class_that_nobody_else_can_import_is_refused() -> None:
    class Local(SyncWorker):
        pass

    with pytest.raises(ValueError, match="cannot be imported by a name"):
        check_worker(Local)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="no such check: nonsense"):
        check_worker("sync", only=["nonsense"])
    with pytest.raises(ValueError, match="application_kind must be one of"):
        check_worker("sync", application_kind="fastcgi")


def test_what_a_kind_is_said_to_do_is_believed() -> None:
    names = ["lets_others_in_beside_a_request", "beats_beside_a_request"]
    report = check_worker("gthread", only=names, concurrent=False, attentive=False)
    assert [outcome.verdict for outcome in report.outcomes] == [NOT_PROMISED] * 2


def test_every_check_says_what_it_proves() -> None:
    assert set(check_names()) == set(CHECKS)
    assert all(one.promise.endswith((".", ").")) for one in CHECKS.values())


def test_a_report_reads_well() -> None:
    report = Report("kind", [
        Outcome("first", "It does.", KEPT, "", 1.25),
        Outcome("second", "It does not lie.", BROKEN, "a lie", 0.5),
        Outcome("third", "It sings.", NOT_PROMISED, "it is mute"),
    ])  # fmt: skip
    assert not report.is_conforming
    assert str(report).splitlines() == [
        "kept            1.2 s  first",
        "broken          0.5 s  second",
        "not promised    0.0 s  third (it is mute)",
        "",
        "second is broken: It does not lie.",
        "    a lie",
        "",
        "kind: 1 kept, 1 broken, 1 not promised",
    ]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "indrik.testing", *arguments]
    return subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=100, check=False
    )


def test_the_command_line() -> None:
    made = run("-k", "gthread", "--only", "lets_others_in_beside_a_request", "--", "--threads", "2")
    assert made.returncode == 0, made.stdout
    assert "1 kept, 0 broken, 0 not promised" in made.stdout
    made = run("-k", "broken_kinds.ForgetsHooks", "--only", "calls_request_hooks")
    assert made.returncode == 1
    assert "calls_request_hooks is broken" in made.stdout
    assert run("--list").stdout.count("\n    ") == len(CHECKS)
    for wrong in ((), ("-k", "sync", "--only", "nonsense"), ("-k", "sync", "--interface", "fastcgi")):
        assert run(*wrong).returncode == 2
