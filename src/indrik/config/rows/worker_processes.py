"""Rows: how many workers of which kind, and when one is replaced."""

from __future__ import annotations

from indrik.config.kinds import Choice, Seconds, Sticky, Switch, Whole
from indrik.config.lists import Patching
from indrik.config.names import WORKER_ALIASES
from indrik.config.resolved import MOST_WORKERS, ClassName, WorkerCount
from indrik.config.setting import FromEnvironment, Setting

SECTION = "Worker Processes"

ROWS = (
    Setting(
        name="workers",
        section=SECTION,
        flags=("-w", "--workers"),
        kind=WorkerCount(maximum=MOST_WORKERS),
        metavar="INT",
        default=1,
        environment=FromEnvironment("WEB_CONCURRENCY"),
        help="Number of worker processes. Start with one or two for each processor core. `auto` is one for "
        "each processor that the server may use: those of its CPU affinity, or the share that its control "
        "group grants (the CPU limit of a container), rounded up, where that is less.",
    ),
    Setting(
        name="worker_class",
        section=SECTION,
        flags=("-k", "--worker-class"),
        kind=ClassName(WORKER_ALIASES),
        metavar="STRING",
        default="sync",
        unsupported_values=frozenset({"tornado"}),
        reason="the worker kind tornado is not part of indrik",
        help="Kind of worker: a name, an entry point of the group `indrik.workers`, the dotted path of a "
        "class, or in a Python file the class itself. `sync` together with more than one thread means "
        "`gthread`. `gevent` needs the extra of that name (`pip install 'indrik[gevent]'`). Dotted paths of "
        "Gunicorn's own worker classes are understood. Where nobody has set a kind or threads, and the "
        "application turns out to speak ASGI when a worker loads it, the kind is `asgi`. A kind that was set "
        "and cannot serve the application stops the start.",
    ),
    Setting(
        name="threads",
        section=SECTION,
        flags=("--threads",),
        kind=Whole(),
        metavar="INT",
        default=1,
        help="Threads in each worker that call the application (worker kind `gthread`). One more reads and "
        "parses while all of them are inside the application.",
    ),
    Setting(
        name="request_timeout",
        section=SECTION,
        flags=("--request-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=0.0,
        own=True,
        help="Seconds that the application has for one request; 0 = any time. Then the client gets 504 if "
        "nothing was sent yet, the log has the stack, and `indrik.errors.RequestTimeout` is raised in the "
        "application. A worker whose application goes on for 5 s all the same, because it waits in C or has "
        "caught what was raised, is replaced. In a `gthread` worker every wait in C is such a wait; a `sync` "
        "worker's are ended by a signal (`SIGRTMIN` + 6; `SIGALRM` stays the application's). A `sync` worker "
        "also needs a `timeout` that is longer, or 0. The request sees its deadline, and can move it, as "
        "`environ['indrik.deadline']`.",
    ),
    Setting(
        name="queue_timeout",
        section=SECTION,
        flags=("--queue-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=30.0,
        own=True,
        help="Seconds that a whole request may wait for a free thread or greenlet, or for its turn where "
        "`limit_concurrency` or the `concurrency` of its route (`routes`) is reached, before it is answered "
        "503 with Retry-After; 0 = any time. To `sync`, which reads no request before its turn, it says "
        "nothing but for routes.",
    ),
    Setting(
        name="limit_concurrency",
        section=SECTION,
        flags=("--limit-concurrency",),
        kind=Whole(),
        metavar="INT",
        default=0,
        own=True,
        help="Requests and WebSockets that one worker has in progress at most; 0 = any number for `asgi`. "
        "Another waits for its turn, and is answered 503 with Retry-After after `queue_timeout`. Connections "
        "without a request do not count. `gthread` has no more in progress than `threads`, `gevent` "
        "than `worker_greenlets`, `sync` one.",
    ),
    Setting(
        name="worker_greenlets",
        section=SECTION,
        flags=("--worker-greenlets",),
        kind=Whole(minimum=1),
        metavar="INT",
        default=1000,
        own=True,
        help="Requests that one `gevent` worker has in progress at most, each in a greenlet of its own. More "
        "wait, read and parsed, for `queue_timeout`. Idle connections have no greenlet.",
    ),
    Setting(
        name="gevent_patch",
        section=SECTION,
        flags=("--gevent-patch",),
        kind=Patching(),
        metavar="YES/NO",
        default=True,
        own=True,
        help="Whether a `gevent` worker has gevent replace what waits in the standard library "
        "(`gevent.monkey.patch_all`), before the application is imported. In a file also a dict of that "
        "function's arguments: `{'thread': False}`. Then `post_patch` is called. What the configuration file "
        "imports is imported before that, in the master too: keep `ssl` and its users out of it.",
    ),
    Setting(
        name="worker_connections",
        section=SECTION,
        flags=("--worker-connections",),
        # With none the worker would accept nobody, ever: the 0 that stands for "any" elsewhere is none here.
        kind=Whole(minimum=1),
        metavar="INT",
        default=1000,
        help="Connections that one worker holds at most, of any kind. For one more, the one that has been "
        "idle longest is closed; while none is idle, nobody is accepted.",
    ),
    Setting(
        name="sticky",
        section=SECTION,
        flags=("--sticky",),
        kind=Sticky(),
        metavar="RULE",
        default=None,
        own=True,
        help="Sends all requests of a client to the same worker, for applications that keep something of it "
        "in memory, as Flask-SocketIO does. `cookie:NAME`: the first response sets a cookie of that name; "
        "the rule for Socket.IO. `query:NAME`, `header:NAME`: the value of a parameter or field, which the "
        "client must have chosen before its first request. `ip`: its address; behind a proxy that is the "
        "proxy's, unless `proxy_protocol` tells it. A request without the cookie or the value is served "
        "where it arrives. When the worker is gone, replaced or reloaded, another takes its clients.",
    ),
    Setting(
        name="max_requests",
        section=SECTION,
        flags=("--max-requests",),
        kind=Whole(),
        metavar="INT",
        default=0,
        help="Requests after which a worker is replaced by a fresh one, against slow leaks of memory; 0 = "
        "never.",
    ),
    Setting(
        name="max_requests_jitter",
        section=SECTION,
        flags=("--max-requests-jitter",),
        kind=Whole(),
        metavar="INT",
        default=0,
        help="Greatest random number added to `max_requests`, for each worker anew, so that they are not all "
        "replaced at the same moment.",
    ),
    Setting(
        name="max_worker_memory",
        section=SECTION,
        flags=("--max-worker-memory",),
        kind=Whole(),
        metavar="MIB",
        default=0,
        own=True,
        help="Mebibytes of resident memory above which a worker is replaced by a fresh one; 0 = any. It goes "
        "on serving until the other is ready. Pages that workers share count for each of them. Linux "
        "only.",
    ),
    Setting(
        name="max_worker_memory_jitter",
        section=SECTION,
        flags=("--max-worker-memory-jitter",),
        kind=Whole(),
        metavar="MIB",
        default=0,
        own=True,
        help="Greatest random number of mebibytes added to `max_worker_memory`, for each worker anew.",
    ),
    Setting(
        name="max_worker_lifetime",
        section=SECTION,
        flags=("--max-worker-lifetime",),
        kind=Seconds(),
        metavar="SECONDS",
        default=0.0,
        own=True,
        help="Seconds of service after which a worker is replaced by a fresh one; 0 = any.",
    ),
    Setting(
        name="max_worker_lifetime_jitter",
        section=SECTION,
        flags=("--max-worker-lifetime-jitter",),
        kind=Seconds(),
        metavar="SECONDS",
        default=0.0,
        own=True,
        help="Greatest random time added to `max_worker_lifetime`, for each worker anew.",
    ),
    Setting(
        name="timeout",
        section=SECTION,
        flags=("-t", "--timeout"),
        kind=Whole(),
        metavar="INT",
        default=30,
        help="Seconds without a sign of life after which the master aborts a worker; 0 = never. A `sync` "
        "worker gives none while it is inside the application, so for it this bounds the time of one "
        "request.",
    ),
    Setting(
        name="graceful_timeout",
        section=SECTION,
        flags=("--graceful-timeout",),
        kind=Whole(),
        metavar="INT",
        default=30,
        help="Seconds that workers have to finish their requests after a stop or a reload, before they are "
        "killed.",
    ),
    Setting(
        name="stop_delay",
        section=SECTION,
        flags=("--stop-delay",),
        kind=Seconds(),
        metavar="SECONDS",
        default=0.0,
        own=True,
        help="Seconds that the server goes on serving as before when TERM has told it to stop, so that load "
        "balancers have time to learn that it is going; then `graceful_timeout` begins. A second TERM ends "
        "the wait, INT and QUIT stop at once. A server that has not been ready yet, or beside which another "
        "master serves (USR2), does not wait.",
    ),
    Setting(
        name="boot_timeout",
        section=SECTION,
        flags=("--boot-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=60.0,
        own=True,
        help="Seconds that a new worker has to load the application and become ready; 0 = any time.",
    ),
    Setting(
        name="keepalive",
        section=SECTION,
        flags=("--keep-alive",),
        kind=Whole(),
        metavar="INT",
        default=2,
        help="Seconds that a connection stays open for the client's next request; 0 closes it after each "
        "response. An idle connection costs a worker of any kind, `sync` too, only a little memory.",
    ),
    Setting(
        name="asgi_loop",
        section=SECTION,
        flags=("--asgi-loop",),
        kind=Choice(("auto", "asyncio", "uvloop")),
        metavar="STRING",
        default="auto",
        help="Event loop of `asgi` workers; `auto` takes uvloop where it is installed.",
    ),
    Setting(
        name="asgi_lifespan",
        section=SECTION,
        flags=("--asgi-lifespan",),
        kind=Choice(("auto", "on", "off")),
        metavar="STRING",
        default="auto",
        help="Whether `asgi` workers speak the lifespan protocol with the application. `auto` tries; with "
        "`on` an application that fails at it stops the server.",
    ),
    Setting(
        name="asgi_disconnect_grace_period",
        section=SECTION,
        flags=("--asgi-disconnect-grace-period",),
        kind=Whole(),
        metavar="INT",
        default=3,
        help="Seconds between telling an ASGI application that its client is gone and cancelling its task.",
    ),
    Setting(
        name="websocket_max_message_size",
        section=SECTION,
        flags=("--websocket-max-message-size",),
        kind=Whole(),
        metavar="INT",
        default=16 * 1024 * 1024,
        help="Bytes of one WebSocket message at most; a greater one closes the connection with code 1009; 0 "
        "= any.",
    ),
    Setting(
        name="ws_ping_interval",
        section=SECTION,
        flags=("--ws-ping-interval",),
        kind=Seconds(),
        metavar="SECONDS",
        default=20.0,
        own=True,
        help="Seconds between two pings to the client of a WebSocket; 0 = none.",
    ),
    Setting(
        name="ws_ping_timeout",
        section=SECTION,
        flags=("--ws-ping-timeout",),
        kind=Seconds(),
        metavar="SECONDS",
        default=20.0,
        own=True,
        help="Seconds in which the client of a WebSocket must answer a ping before its connection is closed; "
        "0 = any time.",
    ),
    Setting(
        name="ws_per_message_deflate",
        section=SECTION,
        flags=("--ws-per-message-deflate",),
        kind=Switch(),
        metavar="true|false",
        default=True,
        own=True,
        help="Whether messages of WebSockets are compressed for clients that offer permessage-deflate "
        "(RFC 7692).",
    ),
    Setting(
        name="http_parser",
        section=SECTION,
        flags=("--http-parser",),
        kind=Choice(("auto", "fast", "python")),
        metavar="STRING",
        default="auto",
        help="Accepted so that old configurations load; changes nothing. indrik has one parser, always the "
        "fast one: the same source compiled, or run as Python where no compiler was found (`--version` "
        "says which).",
    ),
)
