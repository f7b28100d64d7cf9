"""Requests that are interrupted at a chosen instruction of theirs, in a whole server of the gthread kind:
engine, gateway, limits of a route and both logs, uncompiled.

The thread that answers is traced by instruction. At the chosen one it stands still, while the crew's own code
ends the request and has its thread interrupted, as the leader would at that moment. What was refused there is
tried again at each instruction behind, until the thread is where it may be interrupted.
"""

from __future__ import annotations

import _imp
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

from indrik import quotas
from indrik.config import Config
from indrik.config.routes import RouteLimit
from indrik.engine.context import RefusalRecord
from indrik.engine.crew import Crew
from indrik.engine.exchange import Exchange, Handler
from indrik.engine.interruption import interrupt, is_interruptible_at
from indrik.engine.loop import Engine
from indrik.engine.settings import EngineSettings
from indrik.errors import RequestTimeout
from indrik.gateway.environ import EnvironBuilder, EnvironSettings
from indrik.gateway.route_limits import RouteLimits
from indrik.gateway.wsgi import WSGIGateway
from indrik.log import Logger
from indrik.log.errors_stream import ErrorsStream
from indrik.net.listeners import Listener
from indrik.quotas import Quotas
from indrik.scoreboard.board import Scoreboard

#: Seconds after which something hangs.
DEADLINE = 10.0

#: Beyond the last instruction of any request.
NEVER = 1 << 60

#: Whose instructions count: the server's own, what writes its logs, and the application.
_TRACED = re.compile(r"(?:indrik|logging|tests\.unit\.engine\.interrupted_app)(?:\.|$)")

_ACCESS_LINE = re.compile(r"\d{3} GET /\w+ HTTP/1\.1 \d+")
_ERROR_LINE = re.compile(r"\[.*\] \[\d+\] \[\w+\] .+|\w.*|  .*|")


class Fault(AssertionError):
    """What an interruption has left behind."""


class _Rules:
    """One route for all requests."""

    def find(self, environ: dict[str, Any]) -> tuple[str, str]:
        return "/", "/"


class _Traced(Handler):
    """Has `handler` answer under the eyes of `run`."""

    def __init__(self, handler: Handler, server: InterruptedServer) -> None:
        self._handler = handler
        self._server = server

    def handle(self, exchange: Exchange) -> None:
        if exchange.request.path == "/next":
            self._handler.handle(exchange)
            return
        self._server.begin(exchange)
        # The crew's own steps behind the call count too.
        caller: FrameType | None = sys._getframe(1)
        while caller is not None and caller.f_globals["__name__"] == "indrik.engine.crew":
            caller.f_trace = tracer(caller.f_globals["__name__"], self._server)
            caller.f_trace_opcodes = True
            caller = caller.f_back
        sys.settrace(tracer("", self._server))
        self._handler.handle(exchange)

    def client_left(self, exchange: Exchange) -> None:
        self._handler.client_left(exchange)


def tracer(name: str, server: InterruptedServer) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that passes for one of the module `name`: while it stands still, it is the innermost
    frame of its thread.
    """
    names = {
        "__name__": name,
        "counts": server.counts,
        "ask": server.asked.release,
        "wait": server.answered.acquire,
        "enter": server.enter,
    }
    made: Any = FunctionType(_trace.__code__, names)
    return made  # type: ignore[no-any-return]


def _trace(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "call":
        return enter(frame)  # type: ignore[name-defined] # noqa: F821
    if event == "opcode" and counts(frame):  # type: ignore[name-defined] # noqa: F821
        ask()  # type: ignore[name-defined] # noqa: F821
        # What was set meanwhile is raised here, and from here in the traced code.
        wait()  # type: ignore[name-defined] # noqa: F821
    return None


class InterruptedServer:
    """Serves `application` in `folder`.

    blind_in: the name of a function in which it interrupts without asking whether it may; "*" for any.
    """

    def __init__(self, folder: Path, application: Any, blind_in: str = "") -> None:
        self._folder = folder
        self._blind_in = blind_in
        # C code only: the thread that stands still has no other frame on top.
        self.asked = _CSemaphore()
        self.answered = _CSemaphore()
        self._tracers: dict[str, Any] = {}
        self._point = NEVER
        self._exchange: Exchange | None = None
        self.refusals: list[str] = []
        cfg = Config()
        cfg.set("accesslog", str(folder / "access.log"))
        cfg.set("errorlog", str(folder / "error.log"))
        cfg.set("access_log_format", "%(s)s %(r)s %(B)s")
        self._log = Logger(cfg)
        scoreboard = Scoreboard(1)
        self._slot = scoreboard.slots[0]
        environs = EnvironBuilder(EnvironSettings("indrik", ErrorsStream(self._log), True, False))
        limits = {"/": RouteLimit(concurrency=8)}
        shared = Quotas(1).of(limits)
        gate = shared["/"].gate
        assert gate is not None
        self._gate = gate
        gateway = WSGIGateway(
            application,
            environs,
            self._log,
            self._slot,
            before=lambda request: None,
            after=lambda request, environ, response: None,
            has_deadline=True,
        )
        routes = RouteLimits(
            gateway, _Rules(), limits, shared, environs, self._slot, 0.0, lambda exchange: None  # type: ignore[arg-type]
        )
        handler = _Traced(routes, self)
        self._engine = Engine(
            EngineSettings(keepalive=600.0), handler, self._slot, lambda peer: True, self._note_refusal
        )
        routes.start(self._engine)
        self._crew = Crew(self._engine, handler, 1, 0.0, 1.0, lambda: None)
        self._crew.limit_requests(1e9, lambda member: None, lambda member: None)
        # The true leader would come while the thread is in the code of this module.
        self._crew._end_overdue = lambda: self._crew._longest_wait  # type: ignore[method-assign]
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(folder / "socket"))
        sock.listen(64)
        sock.setblocking(False)
        self._listener = Listener(sock)
        self._engine.listen([self._listener])
        self._is_over = False
        self._is_answering = False
        self._leader = threading.Thread(target=self._lead, daemon=True)
        self._leader.start()
        self._crew.start()
        self._descriptors = 0
        self._sent = 0

    def close(self) -> None:
        self._is_over = True
        self.asked.release()
        self._leader.join(DEADLINE)
        self._crew.stop()
        for thread in threading.enumerate():
            if thread.name.startswith("indrik-"):
                thread.join(DEADLINE)
        self._engine.close()
        self._listener.close(unlink=True)

    def _note_refusal(self, record: RefusalRecord) -> None:
        self.refusals.append(record.status)

    # --- the thread that answers ---

    def begin(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.answered.acquire(False)
        self.count = 0
        self.was_tried = False
        self.place = ""
        self.told_in = ""

    def enter(self, frame: FrameType) -> Any:
        name = frame.f_globals.get("__name__", "")
        if not _TRACED.match(name):
            return None
        if frame.f_code is Crew._wait.__code__:
            sys.settrace(None)
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._tracer_of(name)

    def _tracer_of(self, name: str) -> Any:
        made = self._tracers.get(name)
        if made is None:
            made = self._tracers[name] = tracer(name, self)
        return made

    def counts(self, frame: FrameType) -> bool:
        """Whether to interrupt, or try to, at this instruction."""
        self.count += 1
        if self.count < self._point:
            return False
        if self._blind_in not in ("", "*", frame.f_code.co_name):
            return False
        exchange = self._exchange
        # The leader comes only when the ownership is free, and while a thread of the crew has the exchange.
        if (
            exchange is None
            or self._crew._ownership.is_held
            or not any(member.exchange is exchange for member in self._crew.members)
        ):
            return False
        may = not exchange.shields and is_interruptible_at(frame)
        if self.was_tried and not may and not self._blind_in:
            return False
        if not self.was_tried:
            self.was_tried = True
            self.place = f"{frame.f_globals['__name__']}.{frame.f_code.co_name}+{frame.f_lasti}"
        self._may = may
        self._frame = frame
        return True

    # --- in the leader's place ---

    def _lead(self) -> None:
        while True:
            self.asked.acquire()
            if self._is_over:
                return
            self._is_answering = True
            exchange = self._exchange
            assert exchange is not None
            ownership = self._crew._ownership
            ownership.acquire()
            try:
                exchange.deadline = min(exchange.deadline, self._crew._context.now)
                if self._blind_in:
                    exchange.end_overdue()
                    self._tell_blindly()
                else:
                    Crew._end_overdue(self._crew)
                # In here: without the ownership the thread cannot be done with its request.
                crew = self._crew
                found = [one.is_interrupted for one in crew.members if one.exchange is exchange]
                was_told = found[0] if found else self._may
            finally:
                ownership.release()
            if was_told or self._blind_in:
                self._point = NEVER
                frame = self._frame
                self.told_in = f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"
            self.was_right = bool(self._blind_in) or was_told == self._may
            self.answered.release()
            self._is_answering = False

    def _tell_blindly(self) -> None:
        for member in self._crew.members:
            if member.exchange is self._exchange:
                interrupt(member.ident, RequestTimeout)

    # --- a client ---

    def run(self, path: str, point: int) -> None:
        """Asks for `path`, interrupts that at its instruction number `point`, and looks whether all is as
        before. Raises `Fault`.
        """
        # Interrupted right behind its question, the thread has not waited for the answer.
        until(lambda: not self._is_answering, "the leader")
        self.answered.acquire(False)
        self._point = point
        self.was_right = True
        try:
            with self._connect() as sock:
                answer = self._ask(sock, path)
                if answer and not re.match(rb"HTTP/1\.1 (200|103|500|504) ", answer):
                    raise Fault(f"the answer is {answer[:80]!r}")
                self._rest()
                if not self._is_ended(sock):
                    self._ask_next(sock)
            with self._connect() as sock:
                self._ask_next(sock)
            self._rest()
            self._check(path)
        except (OSError, Fault) as error:
            where = f"interrupted {self.told_in or 'nowhere'}, first at {self.place}"
            raise Fault(f"{where}: {error!r}") from error
        if not self.was_right:
            raise Fault(f"{self.place}: another answer than by its frame")

    def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(DEADLINE)
        sock.connect(str(self._folder / "socket"))
        return sock

    def _ask(self, sock: socket.socket, path: str) -> bytes:
        """One answer, or what came of it."""
        self._sent += 1
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab".encode())
        data = b""
        while not _is_whole(data):
            piece = sock.recv(65536)
            if not piece:
                break
            data += piece
        return data

    def _ask_next(self, sock: socket.socket) -> None:
        answer = self._ask(sock, "/next")
        if not (answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nnext")):
            raise Fault(f"the next answer is {answer!r}")
        if answer.count(b"\r\nDate: ") != 1:
            raise Fault(f"the next head is {answer!r}")

    def _is_ended(self, sock: socket.socket) -> bool:
        sock.setblocking(False)
        try:
            return not sock.recv(1)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        finally:
            sock.settimeout(DEADLINE)

    def _rest(self) -> None:
        """Waits until the crew has nothing to do."""
        crew = self._crew
        until(lambda: crew.is_at_rest and not crew._leader_inside, "a crew at rest")

    def _check(self, path: str) -> None:
        crew = self._crew
        until(lambda: not self._engine.open_connections, "the end of all connections")
        until(lambda: not crew._ownership.is_held, "a free ownership")
        if crew.failure is not None:
            raise Fault(f"the crew has failed: {crew.failure!r}")
        alive = {thread.ident for thread in threading.enumerate()}
        if not {member.ident for member in crew.members} <= alive or len(crew.members) > 2:
            raise Fault(f"{len(crew.members)} members, and not all are alive")
        if crew._inside or self._slot.in_progress or self._gate.in_progress():
            raise Fault(f"in progress: {crew._inside}, {self._slot.in_progress}, {self._gate.in_progress()}")
        for handler in (*self._log.error_log.handlers, *self._log.access_log.handlers):
            lock: Any = handler.lock
            if not lock.acquire(timeout=1.0):
                raise Fault("the lock of a log's handler is held")
            lock.release()
        until(lambda: not quotas._threads.locked(), "the lock of quotas")
        until(lambda: not _imp.lock_held(), "the lock of imports")
        lines = (self._folder / "access.log").read_text().splitlines()
        if len(lines) + len(self.refusals) != self._sent:
            raise Fault(f"{self._sent} requests, {len(lines)} access lines, {len(self.refusals)} refusals")
        if not _ACCESS_LINE.fullmatch(lines[-1]):
            raise Fault(f"the last access line is {lines[-1]!r}")
        errors = (self._folder / "error.log").read_text()
        if errors.count("Traceback") > (path == "/fails") or (errors and not errors.endswith("\n")):
            raise Fault(f"the error log has {errors[-2000:]!r}")
        # The logs are as long as one request.
        for name in ("access.log", "error.log"):
            os.truncate(self._folder / name, 0)
        self.refusals.clear()
        self._sent = 0
        descriptors = len(os.listdir("/proc/self/fd"))
        if not self._descriptors:
            self._descriptors = descriptors
        if descriptors != self._descriptors:
            raise Fault(f"{self._descriptors} descriptors before, {descriptors} now")


class _CSemaphore:
    """0 or 1, for two threads. Its methods are C code, without a frame."""

    def __init__(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        self.acquire = lock.acquire
        self.release = lock.release


def _is_whole(data: bytes) -> bool:
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return False
    if head.startswith(b"HTTP/1.1 103"):
        return _is_whole(body)
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if length:
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n")


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for `condition`. Raises `Fault`."""
    give_up_at = time.monotonic() + DEADLINE
    pause = 0.00005
    while not condition():
        if time.monotonic() > give_up_at:
            raise Fault(f"waited in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 2, 0.01)


def points(server: InterruptedServer, path: str, sample: int) -> Iterator[int]:
    """`sample` instructions of a request for `path`, evenly spread, 0 for all."""
    server.run(path, NEVER)
    count = server.count
    yield from range(1, count + 1, max(1, count // sample) if sample else 1)


def forget_logs() -> None:
    """Takes the logs' handlers away."""
    for name in ("indrik.error", "indrik.access"):
        for handler in logging.getLogger(name).handlers[:]:
            logging.getLogger(name).removeHandler(handler)
            handler.close()
