"""The table of signals and the page made of it."""

from __future__ import annotations

import signal
from pathlib import Path

from indrik.arbiter import Arbiter
from indrik.signals import MASTER_SIGNALS, SIGNALS, WORKER_SIGNALS, main, render

ROOT = Path(__file__).parents[2]


def test_the_page_in_the_tree_is_fresh() -> None:
    assert main(["--check", str(ROOT / "SIGNALS.md")]) == 0


def test_stale_page_is_found_and_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "SIGNALS.md"
    assert main(["--check", str(path)]) == 1
    assert main(["--write", str(path)]) == 0
    assert main(["--check", str(path)]) == 0
    path.write_text(path.read_text() + "x")
    assert main(["--check", str(path)]) == 1


def test_every_signal_of_the_master_has_a_handler() -> None:
    for row in SIGNALS:
        if row.master:
            assert callable(getattr(Arbiter, f"handle_{row.name.lower()}"))


def test_who_handles_what() -> None:
    names = {signal.Signals(number).name[3:] for number in MASTER_SIGNALS}
    assert names == {"TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "TTIN", "TTOU", "WINCH", "CHLD"}
    names = {signal.Signals(number).name[3:] for number in WORKER_SIGNALS}
    assert names == {"TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH", "CHLD", "ABRT"}


def test_both_columns_are_shown() -> None:
    text = render()
    assert (
        text.index("## To the master")
        < text.index("| TTIN |")
        < text.index("## To a worker")
        < text.index("| ABRT |")
    )
