"""Cut the worker's profile from outside: a thread that waits on a Unix socket, and that costs nothing while
it does.

For each connection it calls getloadavg(3), which nothing else does, and closes. callgrind, which is told
to, writes a profile before each of these calls and begins with the next one. Imported for its effect by the
applications below.
"""

from __future__ import annotations

import os
import socket
import threading

# The environment variable with the socket's path, and the C function that callgrind waits for.
PATH = "BENCH_MARKS"
FUNCTION = "getloadavg"


def watch(listener: socket.socket) -> None:
    """Serves until the process ends."""
    while True:
        connection, _ = listener.accept()
        with connection:
            os.getloadavg()


def start() -> None:
    """Begin to listen, if the variable says where."""
    path = os.environ.get(PATH)
    if path:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        threading.Thread(target=watch, args=(listener,), daemon=True).start()


def cut(path: str, timeout: float) -> None:
    """In the other process: have one profile written, and wait until it is. OSError if nobody does it in
    time.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.recv(1)
