"""A server whose forks can be made to fail, as they do where a limit on processes is reached."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CODE = """\
import errno, os
fork = os.fork
def limited():
    if os.path.exists("no-fork") and os.getppid() == int(open("no-fork").read()):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()
os.fork = limited
from indrik.app.wsgiapp import run
run()
"""

#: For `Server`.
COMMAND = (sys.executable, "-c", _CODE)


class NoFork:
    """While it is entered, the server that runs in `folder` cannot fork in children of the process
    `parent`.
    """

    def __init__(self, folder: Path, parent: int = 0) -> None:
        self._path = folder / "no-fork"
        self._parent = parent or os.getpid()

    def __enter__(self) -> None:
        self._path.with_suffix(".new").write_text(str(self._parent))
        self._path.with_suffix(".new").rename(self._path)

    def __exit__(self, *error: object) -> None:
        self._path.unlink()
