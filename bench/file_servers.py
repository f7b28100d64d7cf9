"""The rows of servers that send a file by themselves: what `static` costs, beside nginx.

indrik's rows call no application for it, but have one, as in use.
"""

from __future__ import annotations

from bench.serverrow import FILES, LOOP, NGINX, SINGLE, THREADS, Server

FILE_SERVERS: tuple[Server, ...] = (
    Server(
        name="indrik-static",
        command="{indrik}/indrik --static /={files} --bind {host}:{port} {app}",
        settings="sync worker, compiled, static",
        package="indrik",
        interface=FILES,
        kind=SINGLE,
        crowd=None,
        reports_build="compiled",
    ),
    Server(
        name="indrik-gthread-static",
        command="{indrik}/indrik -k gthread --threads {threads} --static /={files} --bind {host}:{port}"
        " {app}",
        settings="gthread worker with 16 threads, compiled, static",
        package="indrik",
        interface=FILES,
        kind=THREADS,
        threads=16,
        crowd=None,
        reports_build="compiled",
    ),
    Server(
        name=NGINX,
        command="{peers}/python -m bench.nginx {files} {host} {port}",
        settings="one worker, sendfile and tcp_nopush on, no access log",
        package="",
        interface=FILES,
        kind=LOOP,
        crowd=None,
    ),
    Server(
        name="nginx-cached",
        command="{peers}/python -m bench.nginx --cached {files} {host} {port}",
        settings="the same with open_file_cache, which keeps descriptors for a second as indrik keeps files",
        package="",
        interface=FILES,
        kind=LOOP,
        crowd=None,
    ),
)
