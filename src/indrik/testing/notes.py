"""How the applications and hooks of the checks tell the checks what happened in their process: lines in one
file.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Names the file, in the environment of the server.
VARIABLE = "INDRIK_TESTING_NOTES"


def note(*words: object) -> None:
    """Append one line. One write to a file opened for appending, so lines of several threads and processes do
    not mix (write(2)).
    """
    fd = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, " ".join(map(str, words)).encode() + b"\n")
    finally:
        os.close(fd)


def gate_of(name: str) -> Path:
    """The file that a request waiting at the gate `name` waits for."""
    return Path(os.environ[VARIABLE]).with_name(f"gate-{name}")
