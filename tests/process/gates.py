"""Stops a server at a point of its start, until the test lets it go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.process.server import Server, wait_for

#: For any Python file of a test's folder. In the test: `wait_at` and `open_gate`.
GATE = """\
import os, time
def gate(name):
    folder = {folder!r}
    # Renamed, so that nobody reads half a number.
    with open(f"{{folder}}/at-{{os.getpid()}}", "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, f"{{folder}}/at-{{name}}")
    while not os.path.exists(f"{{folder}}/go-{{name}}"):
        time.sleep(0.01)
"""

#: A sitecustomize.py that stops the command (`start`), or a new master before it has imported anything of
#: indrik (`upgrade`).
_SITE = """\
import importlib.abc, sys
class Gate(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "indrik.app.wsgi_application":
            gate("start")
if os.environ.get("GATES") == "start":
    sys.meta_path.insert(0, Gate())
if os.environ.get("GATES") == "upgrade" and "INDRIK_PID" in os.environ:
    gate("upgrade")
"""


def write(folder: Path, name: str, text: str) -> None:
    """Write a Python file in which `gate(name)` stops the process."""
    (folder / name).write_text(GATE.format(folder=str(folder)) + text)


def environment(folder: Path, where: str) -> dict[str, str]:
    """For a server that stops at `where`: "start" or "upgrade"."""
    write(folder, "sitecustomize.py", _SITE)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *_own_path()]), "GATES": where}


def _own_path() -> list[str]:
    return [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []


def wait_at(folder: Path, name: str) -> int:
    """Until a process has come to the gate; returns its pid."""
    wait_for((folder / f"at-{name}").exists, f"a process at {name}")
    return int((folder / f"at-{name}").read_text())


def open_gate(folder: Path, name: str) -> None:
    """Let who waits there go on, and who comes later."""
    (folder / f"go-{name}").touch()


def send(server: Server, *numbers: int) -> None:
    """Send signals to a server that stands at a gate, and see that they have come to it."""
    for number in numbers:
        server.send(number)
    wait_for(lambda: not _pending(server.pid), "the signals' delivery")


def _pending(pid: int) -> bool:
    """Whether the kernel keeps a signal that it has not delivered yet. One that has ended waits for none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    if any(line.startswith("State:\tZ") for line in status):
        return False
    return any(int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd")))


def blocked(pid: int | str) -> set[signal.Signals]:
    """The signals that a process has blocked."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigBlk"):
            mask = int(line.split()[1], 16)
    return {number for number in signal.Signals if mask >> (number - 1) & 1}
