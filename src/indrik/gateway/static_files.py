"""Static files, answered in the loop: what of a file a request is sent. `static_store` knows the files.

What is found at a path is believed for a second; then it is opened and looked at again. Small files
are kept in memory with their heads, within bounds; a large one is opened for each request and sent by
sendfile(2), which waits for the disk where its pages are not in memory, as every server with one thread does.
A path at which there is nothing is the application's.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.context import Context
from indrik.engine.exchange import Exchange, Shortcut
from indrik.engine.transport import close_descriptor
from indrik.errors import ConfigError
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.file_answer import FileAnswer, Headers, select
from indrik.gateway.response import Response, ResponseNotes
from indrik.gateway.static_mounts import Mount
from indrik.gateway.static_store import FileStore, Rendered, StaticFile, Variant
from indrik.gateway.took import time_taken
from indrik.protocol.codings import IDENTITY, choose_coding
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request
from indrik.protocol.response import ResponseHead, render
from indrik.protocol.websocket_handshake import wants_websocket

# What selects goes before or behind If-None-Match (RFC 9110 section 13.2.2).
_DEMANDS = 1
_NONE_MATCH = 2
_SELECTS = 3
_ACCEPTS = 4
_SPLITS_PATH = 5

_MEANINGS = {
    "IF-MATCH": _DEMANDS,
    "IF-UNMODIFIED-SINCE": _DEMANDS,
    "IF-NONE-MATCH": _NONE_MATCH,
    "IF-MODIFIED-SINCE": _SELECTS,
    "RANGE": _SELECTS,
    "ACCEPT-ENCODING": _ACCEPTS,
    "SCRIPT_NAME": _SPLITS_PATH,
}

#: As `Logger.access`.
AccessSink = Callable[[Any, Request, Any, datetime.timedelta], None]


class StaticFiles(Shortcut):
    """Answers requests for files below its mounts. For whoever holds the engine's ownership.

    on_access: told of each answer, for the access log; None for nobody.
    """

    def __init__(
        self,
        context: Context,
        mounts: Sequence[Mount],
        environs: EnvironBuilder,
        log: Any,
        on_access: AccessSink | None,
    ) -> None:
        self._context = context
        self._store = FileStore(mounts)
        self._environs = environs
        self._log = log
        self._notes = ResponseNotes(log)
        self._on_access = on_access

    def answers(self, exchange: Exchange) -> cython.bint:
        """Answers `exchange` if it asks for a file that is there; False if it is the application's."""
        request: Request = exchange.request
        method: str = request.method
        path: str = request.path
        file: StaticFile | None
        if request.content_length != 0 or (method != "GET" and method != "HEAD"):
            return False
        try:
            if "%" in path:
                if "%2f" in path.lower():
                    # A slash that was encoded divides no names, and frameworks disagree about it.
                    return False
                path = unquote_to_bytes(path).decode("latin-1")
            file = self._store.get(path, self._context.now)
            return file is not None and self._answer(exchange, request, file)
        except Exception:
            self._log.exception("cannot answer %r from a file", request.line)
            return exchange.is_finished

    def _answer(self, exchange: Exchange, request: Request, file: StaticFile) -> cython.bint:
        names: list = request.names
        record: tuple
        index: cython.Py_ssize_t
        meaning: object
        selects: cython.bint = False
        demands: cython.bint = False
        none_match: str = ""
        rendered: Rendered
        accepted: str = ""
        variant: Variant | None = file.plain
        head: ResponseHead | None
        for index in range(len(names)):
            record = names[index]
            meaning = _MEANINGS.get(record[0])
            if meaning is None:
                continue
            if meaning == _SELECTS:
                selects = True
            elif meaning == _NONE_MATCH:
                # Of several the last: it is compared once more if it is not the very tag.
                selects = True
                none_match = request.values[index]
            elif meaning == _DEMANDS:
                selects = demands = True
            elif meaning == _ACCEPTS:
                accepted = f"{accepted},{request.values[index]}" if accepted else request.values[index]
            elif request.is_trusted and file.is_framework:
                # The proxy says which part of the path Flask sees.
                return False
        if request.has_upgrade and wants_websocket(request):
            return False
        if file.judges_hosts and not file.mount.trusts(request.host):
            return False
        if file.coded and accepted:
            coding = choose_coding(accepted, list(file.coded))
            if coding != IDENTITY:
                variant = file.coded[coding]
        if variant is None:
            self._send(exchange, file, variant, _redirect(request, file.location))
            return True
        rendered = variant.unmodified if selects else variant.whole
        head = rendered.head
        if (
            head is None
            or exchange.response_tail() is not rendered.tail
            or request.minor_version == 0
            or not exchange.keep_alive()
            or (selects and (demands or none_match != variant.etag))
            or (variant.content is None and not selects)
        ):
            return self._answer_at_length(exchange, request, file, variant)
        pieces: list = [variant.content] if head.has_body and request.method != "HEAD" else []
        self._context.begin(exchange)
        exchange.answer(head.data, pieces, True)
        if self._on_access is not None:
            status = "304 Not Modified" if selects else "200 OK"
            self._note(exchange, file, status, rendered.shown, head, variant.size if pieces else 0)
        return True

    def _answer_at_length(
        self, exchange: Exchange, request: Request, file: StaticFile, variant: Variant
    ) -> bool:
        """`_answer` where the head is not rendered yet, or the file has to be opened."""
        fd = -1
        if variant.content is None:
            try:
                fd, variant = self._store.open(file, variant)
            except OSError:
                return False
        try:
            fields = [*variant.fields, *file.mount.expires()]
            answer = select(fields, request, fd, variant.size, variant.mtime_ns)
        except BaseException:
            if fd >= 0:
                close_descriptor(fd)
            raise
        self._send(exchange, file, variant, answer)
        return True

    def _send(
        self, exchange: Exchange, file: StaticFile, variant: Variant | None, answer: FileAnswer
    ) -> None:
        """Sends `answer` and ends the exchange."""
        request: Request = exchange.request
        tail = exchange.response_tail()
        pieces: list = []
        try:
            head: ResponseHead = render(
                answer.status,
                answer.headers,
                request.method == "HEAD",
                request.minor_version,
                exchange.keep_alive(),
                answer.length,
                tail,
            )
            if head.has_body:
                pieces = answer.take_pieces(None if variant is None else variant.content)
        finally:
            answer.close()
        if variant is not None and request.minor_version and head.keep_alive:
            if answer.status[:3] == "200" and request.method == "GET":
                _keep_head(variant.whole, tail, answer.headers, head)
            elif answer.status[:3] == "304":
                _keep_head(variant.unmodified, tail, answer.headers, head)
        self._context.begin(exchange)
        exchange.answer(head.data, pieces, head.keep_alive)
        if self._on_access is not None:
            sent = answer.length if head.has_body else 0
            self._note(exchange, file, answer.status, answer.headers, head, sent)

    def _note(
        self,
        exchange: Exchange,
        file: StaticFile,
        status: str,
        headers: Headers,
        head: ResponseHead,
        sent: int,
    ) -> None:
        """Tells the access log."""
        environ: dict = {}
        # A proxy that contradicts itself is no reason to refuse a file that anybody gets.
        with contextlib.suppress(RequestRefused, ConfigError):
            environ = self._environs.build(exchange)
        environ["indrik.route"] = file.mount.route
        response: Response = Response.__new__(Response)
        response.status = status
        response.headers = headers
        response.sent = sent
        response._notes = self._notes
        response._exchange = exchange
        response._prepared = None
        response._head = head
        response._overran = False
        assert self._on_access is not None
        self._on_access(response, exchange.request, environ, time_taken(exchange))


def _keep_head(rendered: Rendered, tail: str, shown: Headers, head: ResponseHead) -> None:
    rendered.tail = tail
    rendered.shown = shown
    rendered.head = head


def _redirect(request: Request, location: str) -> FileAnswer:
    query = f"?{request.query}" if request.query else ""
    return FileAnswer("301 Moved Permanently", [("Location", location + query)], -1, [])
