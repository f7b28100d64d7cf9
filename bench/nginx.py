"""Start nginx with one worker on a folder of files: python -m bench.nginx [--cached] FOLDER HOST PORT.

Its configuration and its pid file are put into the present folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = "/usr/sbin/nginx"

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {here}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 4096; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    {cache}
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    server {{ listen {host}:{port}; root {folder}; }}
}}
"""

CACHE = "open_file_cache max=1000; open_file_cache_valid 1s;"


def is_installed() -> bool:
    """Whether there is an nginx to measure."""
    return Path(PROGRAM).exists()


def version() -> str:
    """As nginx says it; empty without one."""
    if not is_installed():
        return ""
    done = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


def main(argv: list[str]) -> None:
    """Becomes nginx."""
    cached = argv[:1] == ["--cached"]
    if len(argv) != 3 + cached:
        raise SystemExit("usage: python -m bench.nginx [--cached] FOLDER HOST PORT")
    folder, host, port = argv[-3:]
    here = Path.cwd()
    text = CONFIGURATION.format(
        here=here,
        # The files may lie where another user does not get.
        user="user root;" if os.geteuid() == 0 else "",
        cache=CACHE if cached else "",
        host=host,
        port=port,
        folder=folder,
    )
    (here / "nginx.conf").write_text(text, encoding="utf-8")
    os.execv(PROGRAM, [PROGRAM, "-e", "stderr", "-c", str(here / "nginx.conf")])


if __name__ == "__main__":
    main(sys.argv[1:])
