"""The rows of ASGI servers, under the rules of the WSGI rows: one worker, the fast settings of the server's
own documentation, no access log, nothing switched off that is there for safety.
"""

from __future__ import annotations

from bench.serverrow import LOOP, Server

ASGI_SERVERS: tuple[Server, ...] = (
    *(
        Server(
            name=f"indrik-asgi-{loop}",
            command=f"{{indrik}}/indrik -k asgi --asgi-loop {loop}"
            " {crowd} --bind {host}:{port} {app}",
            settings=f"asgi worker on {loop}, compiled, with the peers' packages",
            package="indrik",
            interface="asgi",
            kind=LOOP,
            env={"PYTHONPATH": "{root}:{packages}"},
            crowd="--keep-alive 120 --worker-connections 11000",
            reports_build="compiled",
        )
        for loop in ("uvloop", "asyncio")
    ),
    *(
        Server(
            name=f"granian-asgi-{loop}",
            command="{peers}/granian --interface asgi --http 1 --log-level warning --workers 1"
            f" --loop {loop} {{crowd}} --host {{host}} --port {{port}} {{app}}",
            settings=f"HTTP/1 only, {loop}",
            package="granian",
            interface="asgi",
            kind=LOOP,
            crowd="--backlog 16384 --backpressure 11000",
        )
        for loop in ("uvloop", "asyncio")
    ),
    Server(
        name="uvicorn",
        command="{peers}/uvicorn --loop uvloop --http httptools --ws websockets-sansio --interface asgi3"
        " --no-access-log --log-level warning {crowd} --host {host} --port {port} {app}",
        settings="uvloop, httptools, websockets without streams, no access log",
        package="uvicorn",
        interface="asgi",
        kind=LOOP,
        crowd="--timeout-keep-alive 120",
    ),
    Server(
        name="gunicorn-asgi",
        command="{peers}/gunicorn --no-control-socket --http-parser fast --worker-class asgi"
        " --asgi-loop uvloop {crowd} --bind {host}:{port} {app}",
        settings="asgi worker on uvloop, C parser, no control socket",
        package="gunicorn",
        interface="asgi",
        kind=LOOP,
        crowd="--keep-alive 120 --worker-connections 11000",
    ),
    Server(
        name="hypercorn",
        command="{peers}/hypercorn --worker-class uvloop --log-level warning {crowd}"
        " --bind {host}:{port} {app}",
        settings="uvloop worker",
        package="hypercorn",
        interface="asgi",
        kind=LOOP,
        crowd="--keep-alive 120 --backlog 2048",
    ),
)
