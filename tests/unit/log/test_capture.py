"""Descriptors 1 and 2 belong to the whole process, so these tests look at a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DEADLINE = 30


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )


CAPTURED = """
import os, subprocess, sys
from indrik.log.capture import CAPTURE
print("before", flush=True)
CAPTURE.start(sys.argv[1])
assert CAPTURE.is_active
print("printed")
assert open(sys.argv[1]).read() == "printed\\n", "seen at once"
print("to stderr", file=sys.stderr)
os.write(1, b"written\\n")
subprocess.run(["echo", "by a child"], check=True)
CAPTURE.stop()
assert not CAPTURE.is_active
print("after")
print("after", file=sys.stderr)
"""


def test_everything_between_start_and_stop_goes_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    done = run(CAPTURED, str(path))
    assert done.stdout == "before\nafter\n"
    assert done.stderr == "after\n"
    assert path.read_text() == "printed\nto stderr\nwritten\nby a child\n"


REOPENED = """
import os, sys
from indrik.log.capture import CAPTURE
path = sys.argv[1]
CAPTURE.start(path)
print("old")
os.rename(path, path + ".1")
print("old")
CAPTURE.start(path)
print("new")
CAPTURE.stop()
"""


def test_starting_again_follows_a_rename(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    assert run(REOPENED, str(path)).stdout == ""
    assert (tmp_path / "error.log.1").read_text() == "old\nold\n"
    assert path.read_text() == "new\n"


UNWRITABLE = """
import sys
from indrik.log.capture import CAPTURE
try:
    CAPTURE.start(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
assert not CAPTURE.is_active
"""


def test_a_path_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    assert run(UNWRITABLE, str(tmp_path)).stdout == "IsADirectoryError\n"
