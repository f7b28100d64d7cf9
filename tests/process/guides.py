"""The operator's guides as tests see them: their code blocks by name, and an nginx that runs one.

A line `<!-- file: NAME -->` before a block, which a reader does not see, names it. A block without such a
line is a command, or a piece of a file.
"""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from indrik.config.rows import BY_NAME
from tests.process.server import DEADLINE, wait_for

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to"
NGINX = Path("/usr/sbin/nginx")
NGINX_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

_BLOCK = re.compile(r"^<!-- file: (\S+) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_NGINX_MAIN = """\
{module}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
{stream}
"""


PAGES = (
    "systemd.md",
    "docker.md",
    "kubernetes.md",
    "behind-nginx.md",
    "behind-a-load-balancer.md",
    "moving-from-gunicorn.md",
    "moving-from-uwsgi.md",
)


def named_blocks(page: str) -> dict[str, tuple[str, str]]:
    """Name -> language and text."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    return {name: (language, body) for name, language, body in _BLOCK.findall(text)}


def block(page: str, name: str, changes: dict[str, str] | None = None) -> str:
    """The text of one block, with each of `changes` made; what is to be changed must be there."""
    return adapted(named_blocks(page)[name][1], changes or {})


def adapted(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in:\n{text}"
        text = text.replace(old, new)
    return text


def settings(text: str) -> dict[str, Any]:
    """What a configuration file sets."""
    names: dict[str, Any] = {}
    exec(text, names)
    return {name: value for name, value in names.items() if name in BY_NAME}


def configurations() -> list[tuple[str, str]]:
    """Page and name of each configuration file of indrik."""
    return [(page, name) for page in PAGES for name in named_blocks(page) if name.endswith(".conf.py")]


def dockerfile() -> dict[str, list[str]]:
    """Instruction -> what follows it, one entry for each time; continued lines are joined."""
    text = block("docker.md", "Dockerfile").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name:
            found.setdefault(name, []).append(rest)
    return found


def free_port() -> int:
    """A port of the loopback that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class Nginx:
    """A real nginx whose `http` block holds `http`; `port` is one that it then listens on."""

    def __init__(self, folder: Path, http: str, port: int, stream: str = "") -> None:
        if not NGINX.exists():
            pytest.skip(f"there is no {NGINX}: install Debian's package nginx")
        if stream and not NGINX_STREAM.exists():
            pytest.skip(f"there is no {NGINX_STREAM}: install Debian's package libnginx-mod-stream")
        folder.mkdir()
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _NGINX_MAIN.format(
                folder=folder,
                # The sockets lie where another user does not get.
                user="user root;" if folder.stat().st_uid == 0 else "",
                module=f"load_module {NGINX_STREAM};\n" if stream else "",
                http=http,
                stream=f"stream {{\n{stream}\n}}" if stream else "",
            )
        )
        self._log = folder / "log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [str(NGINX), "-e", "stderr", "-c", str(configuration)], stdout=log, stderr=log
            )
        self.port = port
        wait_for(self._listens, f"nginx on port {port}")

    def _listens(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)
