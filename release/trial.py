"""A trial of a wheel: installed where there is neither a compiler nor a network, does it serve?"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from release.steps import ReleaseError, clean_environment, module, run

#: Seconds within which a server starts, answers or stops, many times what it needs on a busy machine.
DEADLINE = 60.0

APPLICATIONS = '''\
def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"WSGI {environ['REQUEST_METHOD']} {environ['PATH_INFO']} {len(body)}".encode()]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    text = f"ASGI {scope['method']} {scope['path']} {len(body)}"
    await send({"type": "http.response.body", "body": text.encode()})
'''

# Prints the files of the modules that are named, and the names of all distributions that are installed.
REPORT = """\
import importlib, importlib.metadata, json, sys
files = [importlib.import_module(name).__file__ for name in sys.argv[1:]]
print(json.dumps([files, [found.metadata["Name"].lower() for found in importlib.metadata.distributions()]]))
"""


#: The module that Cython writes: an uncompiled build has none.
WITHOUT_SOURCE = "indrik._cython_shared"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket: no port is needed that another could have."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(str(self.path))


class Trial:
    """An environment, made in `folder` by `python`, without pip, that has only its own programs on PATH."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv" / "bin"
        self.python = self.bin / "python"
        run([python, "-m", "venv", "--without-pip", folder / "venv"])
        self.environment = clean_environment(
            folder, PATH=str(self.bin), CC="/bin/false", PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS=""
        )
        (folder / "applications.py").write_text(APPLICATIONS, encoding="utf-8")

    def install(self, what: str | Path, links: Sequence[Path], *options: str) -> None:
        """Install a file, or by name what lies in the folders `links`. ReleaseError if that fails."""
        found = [word for folder in links for word in ("--find-links", str(folder))]
        # pip of this program's environment: PATH of the trial counts for what it starts.
        pip = module("pip", "--python", self.python, "install", "--quiet", "--no-index", "--no-cache-dir")
        run([*pip, *found, *options, what], cwd=self.folder, env=self.environment)

    def check_build(self, compiled: bool, modules: Sequence[str]) -> str:
        """That it is this build, down to each of the modules that can be compiled; the line that says so."""
        line = run([self.bin / "indrik", "--version"], cwd=self.folder, env=self.environment).strip()
        wanted = "(compiled," if compiled else "(uncompiled,"
        if wanted not in line:
            raise ReleaseError(f"indrik --version says {line!r}, not {wanted[1:-1]}")
        wanted_modules = [name for name in modules if compiled or name != WITHOUT_SOURCE]
        report = run([self.python, "-c", REPORT, *wanted_modules], cwd=self.folder, env=self.environment)
        files, names = json.loads(report)
        wrong = [file for file in files if not file.endswith(".so" if compiled else ".py")]
        if wrong:
            raise ReleaseError(f"{line}, but these modules are not: {', '.join(wrong)}")
        if set(names) - {"indrik", "tomli"}:
            raise ReleaseError(f"{line} has brought other packages: {', '.join(sorted(names))}")
        return line

    def check_serving(self) -> None:
        """That the command serves a WSGI and an ASGI application, and ends with 0."""
        for interface in ("WSGI", "ASGI"):
            self._serve(interface)

    def _serve(self, interface: str) -> None:
        path, log = self.folder / f"{interface}.sock", self.folder / f"{interface}.log"
        application = f"applications:{interface.lower()}"
        argv: list[str | Path] = [self.bin / "indrik", "--bind", f"unix:{path}", application]
        with open(log, "wb") as file:
            server = subprocess.Popen(argv, cwd=self.folder, env=self.environment, stdout=file, stderr=file)
        try:
            self._wait_for(path, server)
            answers = [ask(path, "GET", "/first"), ask(path, "POST", "/second", b"x" * 100_000)]
            server.send_signal(signal.SIGTERM)
            status = server.wait(DEADLINE)
        except (OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
            raise self._failure(interface, log, f"{type(error).__name__}: {error}") from error
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
        wanted = [f"200 {interface} GET /first 0", f"200 {interface} POST /second 100000"]
        if answers != wanted or status != 0:
            raise self._failure(interface, log, f"answered {answers}, not {wanted}, and ended with {status}")

    def _wait_for(self, path: Path, server: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + DEADLINE
        while not path.exists():
            if server.poll() is not None:
                raise OSError(f"ended with {server.returncode} before it listened")
            if time.monotonic() > give_up_at:
                raise OSError("does not listen")
            time.sleep(0.02)

    def _failure(self, interface: str, log: Path, what: str) -> ReleaseError:
        text = log.read_text(errors="replace")
        return ReleaseError(f"indrik, serving {interface}: {what}. Its log:\n{text}")


def ask(path: Path, method: str, target: str, body: bytes = b"") -> str:
    """The status and the body of the answer to one request."""
    connection = UnixConnection(path)
    try:
        connection.request(method, target, body or None)
        response = connection.getresponse()
        return f"{response.status} {response.read().decode()}"
    finally:
        connection.close()
