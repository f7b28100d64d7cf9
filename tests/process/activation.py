"""A server that is given its listener as systemd gives it (sd_listen_fds(3))."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

# LISTEN_PID is the server's own process, which is known in there only.
_STARTER = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def activated(folder: Path, listener: socket.socket) -> tuple[str, ...]:
    """The command of a server that finds `listener`, whose descriptor it has to be passed, as its socket."""
    starter = folder / "starter.py"
    starter.write_text(_STARTER)
    return (sys.executable, str(starter), str(listener.fileno()), "-m", "indrik")
