"""The rows of WSGI servers.

One worker each, with the fast settings that the server's own documentation recommends, said in words for
the reader of the table. Nothing that a server switches on for safety is switched off. None of them writes an
access log.
"""

from __future__ import annotations

from bench.serverrow import GREENLETS, INDRIK, THREADS, UNCOMPILED, Server

WSGI_SERVERS: tuple[Server, ...] = (
    Server(
        name=INDRIK,
        command="{indrik}/indrik {crowd} --bind {host}:{port} {app}",
        settings="defaults (sync worker), compiled",
        package="indrik",
        crowd="--keep-alive 120 --worker-connections 11000",
        reports_build="compiled",
    ),
    Server(
        name="indrik-gthread",
        command="{indrik}/indrik -k gthread --threads {threads} {crowd} --bind {host}:{port} {app}",
        settings="gthread worker with 16 threads, compiled",
        package="indrik",
        kind=THREADS,
        threads=16,
        crowd="--keep-alive 120 --worker-connections 11000",
        reports_build="compiled",
    ),
    Server(
        name="indrik-gevent",
        command="{indrik}/indrik -k gevent {crowd} --bind {host}:{port} {app}",
        settings="gevent worker, compiled, with the peers' gevent",
        package="indrik",
        kind=GREENLETS,
        env={"PYTHONPATH": "{root}:{packages}"},
        crowd="--keep-alive 120 --worker-connections 11000 --worker-greenlets 11000",
        reports_build="compiled",
    ),
    Server(
        name=UNCOMPILED,
        command="{peers}/python -m indrik {crowd} --bind {host}:{port} {app}",
        settings="defaults (sync worker), plain Python from the source tree",
        package="indrik",
        env={"PYTHONPATH": "{root}/src:{root}"},
        crowd="--keep-alive 120 --worker-connections 11000",
        reports_build="uncompiled",
    ),
    Server(
        name="bjoern",
        command="{peers}/python -m bench.launch bjoern {app} {host} {port}",
        settings="defaults; built from its source distribution against libev",
        package="bjoern",
    ),
    Server(
        name="fastpysgi",
        command="{peers}/python -m bench.launch fastpysgi {app} {host} {port}",
        settings="TCP_NODELAY on, log level error",
        package="fastpysgi",
    ),
    Server(
        name="granian",
        command="{peers}/granian --interface wsgi --http 1 --no-ws --log-level warning --workers 1"
        " --blocking-threads 1 {crowd} --host {host} --port {port} {app}",
        settings="HTTP/1 only, no WebSocket, one blocking thread (faster here than its default)",
        package="granian",
        crowd="--backlog 16384 --backpressure 11000",
    ),
    Server(
        name="granian-threads",
        command="{peers}/granian --interface wsgi --http 1 --no-ws --log-level warning --workers 1"
        " --blocking-threads {threads} {crowd} --host {host} --port {port} {app}",
        settings="HTTP/1 only, no WebSocket, 16 blocking threads",
        package="granian",
        kind=THREADS,
        threads=16,
        crowd="--backlog 16384 --backpressure 11000",
    ),
    Server(
        name="uwsgi",
        command="{peers}/uwsgi --http11-socket {host}:{port} --threads {threads} --single-interpreter"
        " --disable-logging --die-on-term --need-app --listen 1024 --wsgi {app}",
        settings="http11-socket, which keeps connections, each of them in a thread of its own: 64 threads;"
        " one interpreter, no request log",
        package="uwsgi",
        kind=THREADS,
        threads=64,
        crowd=None,
    ),
    Server(
        name="cheroot",
        command="{peers}/cheroot --bind {host}:{port} --threads {threads} --request-queue-size 1024 {app}",
        settings="ten threads (its default), a listen queue of 1024; keeps ten connections, closes others",
        package="cheroot",
        kind=THREADS,
        threads=10,
        crowd=None,
    ),
    Server(
        name="waitress",
        command="{peers}/waitress-serve --asyncore-use-poll --threads {threads} {crowd} --host {host}"
        " --port {port} {app}",
        settings="poll instead of select, four threads (its default)",
        package="waitress",
        kind=THREADS,
        threads=4,
        crowd="--connection-limit 11000",
    ),
    Server(
        name="gunicorn-gevent",
        command="{peers}/gunicorn --no-control-socket --http-parser fast --worker-class gevent {crowd}"
        " --bind {host}:{port} {app}",
        settings="gevent worker, C parser, no control socket",
        package="gunicorn",
        kind=GREENLETS,
        crowd="--keep-alive 120 --worker-connections 11000",
    ),
    Server(
        name="gunicorn-gthread",
        command="{peers}/gunicorn --no-control-socket --http-parser fast --worker-class gthread"
        " --threads {threads} {crowd} --bind {host}:{port} {app}",
        settings="gthread worker with 16 threads, which keeps connections, C parser, no control socket",
        package="gunicorn",
        kind=THREADS,
        threads=16,
        crowd="--keep-alive 120 --worker-connections 11000",
    ),
    Server(
        name="gunicorn",
        command="{peers}/gunicorn --no-control-socket --http-parser fast --bind {host}:{port} {app}",
        settings="sync worker, which closes after every answer, C parser, no control socket",
        package="gunicorn",
        crowd=None,
    ),
)
