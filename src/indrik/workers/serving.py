"""What all kinds share: the engine with its limits, files and siblings, the hooks around a request, and how a
worker leaves. And the gateway of those that serve WSGI applications; `gasgi` has another one.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from indrik import __version__
from indrik.engine.context import Context
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.loop import Engine
from indrik.engine.settings import EngineSettings
from indrik.engine.siblings import Siblings
from indrik.engine.timers import NEVER
from indrik.engine.waiting import Waiting
from indrik.errors import ConfigError
from indrik.gateway.environ import EnvironBuilder, EnvironSettings, default_script_name
from indrik.gateway.flask_app import FlaskFramework, find_flask
from indrik.gateway.wsgi import WSGIGateway
from indrik.log.errors_stream import ErrorsStream
from indrik.quotas import Quotas
from indrik.scoreboard.board import Scoreboard
from indrik.scoreboard.layout import Order, Recycle, State
from indrik.scoreboard.slot import Slot
from indrik.workers.base import Worker
from indrik.workers.later_lines import LaterLines
from indrik.workers.refusals import RefusalReporter
from indrik.workers.trust import Trust

if TYPE_CHECKING:
    from indrik.gateway.forwarding import ProxyHeaders
    from indrik.gateway.route_limits import RouteLimits
    from indrik.gateway.route_rules import FlaskRules, PlainRules
    from indrik.gateway.static_files import StaticFiles
    from indrik.gateway.static_mounts import Mount


#: Settings that most servers leave alone, and what they need. Imported late, here and below; where they are
#: set, in the master, so that its workers share the module, and so that what they run is of one version.
_MODULE_OF = {
    "forwarded": "indrik.gateway.forwarding",
    "proxy_headers": "indrik.gateway.forwarding",
    "proxy_protocol": "indrik.protocol.proxy_header",
    "routes": "indrik.gateway.route_limits",
    "sticky": "indrik.engine.sticky",
    "x_sendfile_roots": "indrik.gateway.x_sendfile",
}

#: The values of these settings that mean "not used".
_WITHOUT: tuple[Any, ...] = (None, False, "off", {}, [], ())


class ServingWorker(Worker):
    """Base of the kinds on indrik's engine. A subclass says how its engine is driven (`serve`), and drains
    it.

    engine: there from the begin of `serve` on. framework: see `find_framework`, there before the gateway is.
    """

    reports_ready_itself: ClassVar[bool] = True

    interface: ClassVar[str] = "wsgi"

    limits_routes: ClassVar[bool] = True

    #: What environ["wsgi.multithread"] says.
    is_multithreaded: ClassVar[bool] = False

    #: What, beside every `Exception`, is a failure of the application and not the end of the worker.
    failures: tuple[type[BaseException], ...] = ()

    #: Whether the kind ends requests that take longer than `request_timeout`; one that does not refuses the
    #: setting.
    enforces_request_timeout: ClassVar[bool] = False

    engine: Engine
    framework: FlaskFramework | None = None
    #: What finds the limited route of a request, and then the handler that limits; None without `routes`.
    rules: FlaskRules | PlainRules | None = None
    route_limits: RouteLimits | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        for name, module in _MODULE_OF.items():
            if getattr(cfg, name) not in _WITHOUT:
                importlib.import_module(module)
        if isinstance(cfg.static, dict):
            from indrik.gateway.static_mounts import check_directories

            check_directories(cfg.static, cfg.chdir)
        if cls.enforces_request_timeout:
            return
        if cfg.request_timeout:
            raise ConfigError(
                f"request_timeout is {cfg.request_timeout:g}, but the worker kind {cls.__name__} cannot end "
                "a request that takes too long: set it to 0, or use another kind"
            )
        for key, limit in cfg.routes.items():
            if limit.timeout:
                raise ConfigError(
                    f"routes has a timeout for {key!r}, but the worker kind {cls.__name__} cannot end a "
                    "request that takes too long: remove it, or use another kind"
                )

    def load_wsgi(self) -> None:
        super().load_wsgi()
        if not self.cfg.routes or self.is_stand_in:
            return
        from indrik.gateway.route_rules import find_rules

        try:
            self.rules = find_rules(self.wsgi, self.cfg.routes, self.log)
        except ConfigError as error:
            if self.reloader is None:
                raise
            self.log.error("%s; no route is limited until a file changes", error)

    def run(self) -> None:
        # What cannot be set up is a start that has failed, and nobody leaves for it.
        self.booted = False
        self.slot = self.slot or Scoreboard(1).slots[0]
        self._refusals = RefusalReporter(self.log)
        self.framework = self.find_framework()
        self.gateway = self.limit_routes(self.make_gateway(self.slot), self.slot)
        self.engine = self.make_engine(self.make_handler(self.gateway), self.slot)
        if self.route_limits is not None:
            self.route_limits.start(self.engine)
        self.booted = True
        self.report_ready()
        try:
            self.serve()
        finally:
            self._refusals.flush(final=True)

    def serve(self) -> None:
        """Serve until `alive` is false, then drain and return."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it serves: serve() is missing")

    def find_framework(self) -> FlaskFramework | None:
        """What the application's own framework asks of the server, None for nothing."""
        flask = find_flask(self.wsgi) if self.cfg.framework_config else None
        if flask is None or self.slot is None:
            return None
        return FlaskFramework(flask, self.log, bool(self.cfg.x_sendfile_roots), self.slot)

    def make_settings(self) -> EngineSettings:
        """The engine's settings: of two limits for a body the smaller one."""
        settings = EngineSettings.from_config(self.cfg)
        if self.framework is not None and self.framework.body_limit:
            own = settings.limits.body or self.framework.body_limit
            limits = replace(settings.limits, body=min(own, self.framework.body_limit))
            settings = replace(settings, limits=limits)
        return replace(settings, has_debugger=bool(getattr(self.app, "debugs", False)))

    def make_engine(self, handler: Handler, slot: Slot) -> Engine:
        """The engine that gives its requests to `handler`."""
        cfg = self.cfg
        engine = Engine(
            self.make_settings(),
            handler,
            slot,
            Trust(cfg.forwarded_allow_ips, cfg.forwarded_allow_networks()),
            self.refusal_sink(self._refusals),
            Trust(cfg.proxy_allow_ips, cfg.proxy_allow_networks()),
            self.make_waiting(),
            self.make_siblings(slot),
        )
        if cfg.static is not None:
            engine.context.shortcut = self.make_static(engine.context)
        return engine

    def make_static(self, context: Context) -> StaticFiles | None:
        """What answers requests for the files of the setting `static`; None if there are none."""
        from indrik.gateway.static_files import StaticFiles

        mounts = self._find_mounts()
        if not mounts:
            return None
        sink = self.access_sink() if self.log.access_enabled else None
        return StaticFiles(context, mounts, self.make_environs(), self.log, sink)

    def _find_mounts(self) -> list[Mount]:
        from indrik.gateway.flask_static import find_static
        from indrik.gateway.static_mounts import mounts_of

        cfg = self.cfg
        if cfg.static != "auto":
            return mounts_of(cfg.static, cfg.static_max_age)
        flask = find_flask(self.wsgi)
        if flask is None:
            self.log.warning(
                'static = "auto" means the static folders of a Flask application, which this one is not: '
                'name directories instead, as in {"/static": "/srv/static"}'
            )
            return []
        return find_static(flask, default_script_name(), self.log)

    # --- what a kind may make otherwise ---

    def make_handler(self, gateway: Handler) -> Handler:
        """What the engine gives whole requests to."""
        return gateway

    def make_waiting(self) -> Waiting:
        """How a request waits for its client."""
        return Waiting()

    def make_siblings(self, slot: Slot) -> Siblings | None:
        """With whom the load is shared; None for a worker without a mailbox."""
        if slot.number >= len(self.mailboxes):
            return None
        return Siblings(slot, self.neighbours, self.mailboxes, self.cfg.worker_connections)

    def access_sink(self) -> Any:
        """Where the line of the access log goes that is written for a file."""
        return self.log.access

    def refusal_sink(self, reporter: RefusalReporter) -> Any:
        """Where the engine says that it sent a client away."""
        return reporter

    # --- what `serve` is made of ---

    def look_after(self) -> None:
        """What is due at least every `longest_wait` seconds: the count of requests, the log, the master."""
        self.nr = self.engine.served
        if self.nr >= self.max_requests:
            self.request_replacement(Recycle.MAX_REQUESTS)
        self._refusals.flush()
        if self.is_orphaned:
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False

    @property
    def longest_wait(self) -> float:
        """Seconds that a turn of the engine may wait: short enough for the heartbeat and for noticing that
        the master is gone.
        """
        return min(1.0, self.timeout) if self.timeout else 1.0

    @property
    def next_limit(self) -> int:
        """How many served requests in all make `look_after` due at once."""
        return self.max_requests if self.engine.served < self.max_requests else sys.maxsize

    def begin_to_leave(self) -> float:
        """The first step of leaving: no client may stay after its request. When the last must be done, in
        monotonic seconds.
        """
        assert self.slot is not None
        self.slot.state = State.DRAINING
        if self.slot.order == Order.MAKE_WAY:
            self.engine.make_way()
        self.engine.drain()
        return time.monotonic() + self.drain_timeout

    def stop_listening(self) -> None:
        """Accept nobody any more."""
        self.engine.stop_listening()
        for listener in self.sockets:
            listener.close(unlink=False)

    def note_cut(self) -> None:
        """Say how many connections the worker leaves behind."""
        if self.engine.open_connections:
            self.log.warning(
                "%d connections were still open after graceful_timeout (%s s) and are cut",
                self.engine.open_connections,
                self.cfg.graceful_timeout,
            )

    def read_wakeup(self) -> None:
        """Empty the pipe by which signals wake this process; their handlers have run, or run now."""
        try:
            while os.read(self.wakeup_fd, 512):
                pass
        except BlockingIOError:
            pass

    # --- limits of routes ---

    def limit_routes(self, gateway: WSGIGateway, slot: Slot) -> Handler:
        """`gateway`, or what stands in front of it where `routes` limits some of its requests."""
        if self.rules is None:
            return gateway
        from indrik.gateway.route_limits import RouteLimits

        limits = self.cfg.routes
        quotas = self.quotas
        if quotas is None:
            quotas = Quotas(slot.number + 1).of(limits)
        self.route_limits = RouteLimits(
            gateway,
            self.rules,
            limits,
            quotas,
            self.make_environs(),
            slot,
            self.cfg.queue_timeout,
            self.note_deadline,
        )
        return self.route_limits

    def note_deadline(self, exchange: Exchange) -> None:
        """A request in progress has the timeout of its route. For a kind that must know."""

    @property
    def shortest_timeout(self) -> float:
        """The shortest time, in seconds, that any request may have; 0 where all have any time."""
        timeouts = [self.cfg.request_timeout]
        if self.rules is not None:
            timeouts += [limit.timeout for limit in self.cfg.routes.values()]
        return min((seconds for seconds in timeouts if seconds), default=0.0)

    @property
    def usual_timeout(self) -> float:
        """Seconds that a request has whose route has no timeout; 1e300 for any time."""
        return self.cfg.request_timeout or NEVER

    def name_timeout(self, exchange: Exchange) -> str:
        """Which timeout ends `exchange`, for the log."""
        if self.route_limits is not None:
            from indrik.gateway.route_limits import LimitedRoute

            route = exchange.owner
            if isinstance(route, LimitedRoute) and route.limit.timeout:
                return f"the timeout of its route {route.key!r} ({route.limit.timeout:g} s)"
        return f"request_timeout ({self.cfg.request_timeout:g} s)"

    # --- requests that take too long ---

    def log_overdue(self, lines: LaterLines, exchange: Exchange, ident: int, thread: str) -> None:
        """Put the request that has taken longer than `request_timeout` among `lines`, and the stack that the
        thread has now in which it runs: `ident` is the thread's identifier, `thread` its name. Any thread.
        """
        frame = sys._current_frames().get(ident)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "it has no stack any more\n"
        lines.put(
            self.log.error,
            "REQUEST TIMEOUT: %r took longer than %s in thread %s; its stack:\n%s",
            exchange.request.line,
            self.name_timeout(exchange),
            thread,
            stack.rstrip(),
        )

    def replace_stuck(self, thread: str) -> None:
        """Have the worker replaced: `RequestTimeout` has not ended what `thread` does. It waits in C, where
        Python cannot interrupt it, or the application has caught what was raised. Any thread.
        """
        self.log.error(
            "thread %s cannot be interrupted; the worker is replaced (pid: %s)", thread, self.pid
        )
        self.request_replacement(Recycle.STUCK_REQUEST)

    # --- the gateway ---

    def make_environs(self, script_name: str | None = None) -> EnvironBuilder:
        """What makes the environ of a request; `script_name` is the process's SCRIPT_NAME if it is None."""
        cfg = self.cfg
        return self.environ_builder(
            EnvironSettings(
                software=f"indrik/{__version__}",
                errors=ErrorsStream(self.log),
                multithread=self.is_multithreaded,
                multiprocess=cfg.workers > 1,
                script_name=default_script_name() if script_name is None else script_name,
                secure_scheme_headers=cfg.secure_scheme_headers,
                forwarded=cfg.forwarded,
                proxy_headers=self._make_proxy_headers(),
            )
        )

    def _make_proxy_headers(self) -> ProxyHeaders | None:
        if not self.cfg.proxy_headers:
            return None
        from indrik.gateway.forwarding import ProxyHeaders

        trust = Trust(self.cfg.forwarded_allow_ips, self.cfg.forwarded_allow_networks())
        return ProxyHeaders(None if trust.trusts_all else trust.knows)

    def environ_builder(self, settings: EnvironSettings) -> EnvironBuilder:
        """The builder itself: a kind may have one of its own."""
        return EnvironBuilder(settings)

    def make_gateway(self, slot: Slot) -> WSGIGateway:
        """The gateway to the application that `load_wsgi` has loaded."""
        cfg = self.cfg
        file_roots = None
        if cfg.x_sendfile_roots:
            from indrik.gateway.x_sendfile import FileRoots

            file_roots = FileRoots(cfg.x_sendfile_roots, self.log)
        framework: Any = self.framework
        if self.rules is not None:
            from indrik.gateway.route_rules import PlainRules

            if isinstance(self.rules, PlainRules):
                framework = self.rules
        return WSGIGateway(
            self.wsgi,
            self.make_environs(),
            self.log,
            slot,
            uses_sendfile=cfg.sendfile,
            before=self._before_hook(),
            after=self._after_hook(),
            has_deadline=self.shortest_timeout > 0,
            file_roots=file_roots,
            framework=framework,
            failures=self.failures,
        )

    def _before_hook(self) -> Any:
        hook = self.cfg.pre_request
        if self.cfg.settings["pre_request"].is_default:
            return None
        return lambda request: hook(self, request)

    def _after_hook(self) -> Any:
        hook = self.cfg.post_request
        if self.cfg.settings["post_request"].is_default:
            return None

        def after(request: Any, environ: Any, response: Any) -> None:
            try:
                hook(self, request, environ, response)
            except Exception:
                self.log.exception("Exception in post_request hook")

        return after
