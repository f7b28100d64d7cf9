"""Static files, answered in the loop: which file a request means, and what is kept of it for the next one.

What is found at a path is believed for `FRESH` seconds; then it is opened and looked at again. Small files
are kept in memory with their heads, within bounds; a large one is opened for each request and sent by
sendfile(2), which waits for the disk where its pages are not in memory, as every server with one thread does.
A path at which there is nothing is the application's.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import cython

from indrik.engine.context import Context
from indrik.engine.exchange import Exchange, Shortcut
from indrik.engine.transport import close_descriptor
from indrik.errors import ConfigError
from indrik.gateway.environ import EnvironBuilder
from indrik.gateway.file_answer import FileAnswer, Headers, select
from indrik.gateway.file_root import open_below
from indrik.gateway.response import Response, ResponseNotes
from indrik.gateway.static_mounts import INDEX, Mount
from indrik.protocol.codings import IDENTITY, choose_coding
from indrik.protocol.refusals import RequestRefused
from indrik.protocol.request import Request
from indrik.protocol.response import ResponseHead, render
from indrik.protocol.websocket_handshake import wants_websocket

#: Seconds for which what was found at a path, or that nothing was, is believed.
FRESH = 1.0
_FRESH = FRESH

#: Files up to so many bytes are kept in memory; so many bytes, and so many files, in all.
_SMALL = 1 << 17
_MOST_BYTES = 16 << 20
_MOST_FILES = 4096

#: Paths kept at which there is nothing, and the longest of them.
_MOST_MISSES = 4096
_LONGEST_MISS = 256

#: A file that was changed so shortly before it was read may change again without another time of change (the
#: kernel's clock for files ticks some hundred times a second; on some file systems once in two seconds).
_SETTLED_NS = 2_500_000_000

#: Codings of precompressed files, the one that is preferred among equals first.
_SUFFIXES = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}

_VARIES = ("Vary", "Accept-Encoding")

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


class Rendered:
    """The head of a response that was sent, to be sent again. The loop's.

    head: None before there was one; rendered with the fields of `shown` and `tail`.
    """

    def __init__(self) -> None:
        self.tail = ""
        self.shown: Headers = []
        self.head: ResponseHead | None = None


class Variant:
    """One representation of a file, in one coding. The loop's.

    names: from the mount's root on. content: the whole of a small file, None for a large one. whole,
    unmodified: of the 200 and the 304 response.
    """

    def __init__(
        self, names: list[bytes], coding: str, found: os.stat_result, fields: Headers, content: bytes | None
    ) -> None:
        self.names = names
        self.coding = coding
        self.key = _key_of(found)
        self.is_settled = time.time_ns() - found.st_mtime_ns > _SETTLED_NS
        self.fields = fields
        self.content = content
        self.size: int = found.st_size
        self.mtime_ns: int = found.st_mtime_ns
        self.etag = dict(fields)["ETag"]
        self.whole = Rendered()
        self.unmodified = Rendered()


class StaticFile:
    """What is at a path: a file in one coding or several, or a directory with an index. The loop's.

    checked_at: when it was last looked at, in monotonic seconds. location: of a directory, where its index
    is.
    """

    def __init__(self, mount: Mount, plain: Variant | None, location: str) -> None:
        self.mount = mount
        self.is_framework: bool = mount.is_framework
        self.judges_hosts: bool = mount.judges_hosts
        self.plain = plain
        self.location = location
        self.coded: dict[str, Variant] = {}
        self.checked_at = 0.0
        self.cost = 0


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
        # The longest first: it is the most particular. Of equals the first, as in Flask's routing.
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        self._environs = environs
        self._log = log
        self._notes = ResponseNotes(log)
        self._on_access = on_access
        self._files: dict[str, StaticFile] = {}
        self._held = 0
        self._misses: dict[str, float] = {}

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
            file = self._files.get(path)
            if file is None or self._context.now - file.checked_at >= _FRESH:
                file = self._look(path)
                if file is None:
                    return False
            return self._answer(exchange, request, file)
        except Exception:
            self._log.exception("cannot answer %r from a file", request.line)
            if not exchange.is_finished:
                return False
            exchange.channel.close()
            return True

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
                fd, found = open_below(file.mount.root, variant.names)
            except OSError:
                # Gone, or something else by now: the next one will see what.
                file.checked_at = 0.0
                return False
        try:
            if fd >= 0 and _key_of(found) != variant.key:
                file.checked_at = 0.0
                varies = _VARIES in variant.fields
                fields = _fields(file.mount, variant.names, variant.coding, found)
                variant = Variant(variant.names, variant.coding, found, fields, None)
                if varies and _VARIES not in fields:
                    fields.append(_VARIES)
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
        response._head = head
        response._overran = False
        assert self._on_access is not None
        self._on_access(
            response, exchange.request, environ, datetime.timedelta(seconds=exchange.elapsed())
        )

    # --- what is at a path ---

    def _look(self, path: str) -> StaticFile | None:
        """What is at `path`, the latin-1 text of its octets, now; None if nothing is."""
        now: cython.double = self._context.now
        octets = path.encode("latin-1")
        mount = self._mount_of(octets)
        if mount is None:
            return None
        missed_at: float | None = self._misses.get(path)
        if missed_at is not None and now - missed_at < _FRESH:
            return None
        known = self._files.get(path)
        names = mount.names_of(octets)
        file = None
        if names is not None and b"\0" not in octets:
            file = self._find(mount, names, octets, known)
        if file is None:
            self._forget(path)
            if len(path) <= _LONGEST_MISS:
                if len(self._misses) >= _MOST_MISSES:
                    self._misses.clear()
                self._misses[path] = now
            return None
        self._forget(path)
        file.checked_at = now
        self._keep(path, file)
        return file

    def _mount_of(self, octets: bytes) -> Mount | None:
        for mount in self._mounts:
            prefix = mount.prefix
            if octets.startswith(prefix) and octets[len(prefix) : len(prefix) + 1] in (b"/", b""):
                return mount
        return None

    def _find(
        self, mount: Mount, names: list[bytes], octets: bytes, known: StaticFile | None
    ) -> StaticFile | None:
        """What `names` lead to. known: what did when it was last looked at."""
        if names and not names[-1]:
            if not mount.has_index:
                return None
            names = [*names[:-1], INDEX]
        is_directory = not names
        plain = None
        if not is_directory:
            try:
                plain = self._load(mount, names, IDENTITY, None if known is None else known.plain)
            except IsADirectoryError:
                is_directory = True
            except OSError:
                return None
        if is_directory:
            return self._find_directory(mount, names, octets)
        if not mount.owns(octets):
            return None
        file = StaticFile(mount, plain, "")
        assert plain is not None
        if not any(name == "Content-Encoding" for name, _ in plain.fields):
            self._add_coded(file, plain, known)
        return file

    def _find_directory(self, mount: Mount, names: list[bytes], octets: bytes) -> StaticFile | None:
        """A redirection to the path with a slash, if there is an index; never a listing."""
        if not mount.has_index or not octets.rpartition(b"/")[2]:
            return None
        try:
            close_descriptor(open_below(mount.root, [*names, INDEX])[0])
        except OSError:
            return None
        # Relative, because a proxy may have taken something from the front of the path.
        return StaticFile(mount, None, quote(octets.rpartition(b"/")[2]) + "/")

    def _add_coded(self, file: StaticFile, plain: Variant, known: StaticFile | None) -> None:
        """Adds the precompressed files beside `plain` that are not older than it."""
        for coding, suffix in _SUFFIXES.items():
            names = [*plain.names[:-1], plain.names[-1] + suffix]
            before = None if known is None else known.coded.get(coding)
            try:
                variant = self._load(file.mount, names, coding, before)
            except OSError:
                continue
            if variant.mtime_ns >= plain.mtime_ns:
                file.coded[coding] = variant
        if (_VARIES in plain.fields) != bool(file.coded):
            plain.fields = [field for field in plain.fields if field != _VARIES]
            if file.coded:
                plain.fields.append(_VARIES)
            plain.whole = Rendered()
            plain.unmodified = Rendered()

    def _load(self, mount: Mount, names: list[bytes], coding: str, before: Variant | None) -> Variant:
        """The file at `names` as it is now: `before` if that is still right. Raises `OSError`."""
        fd, found = open_below(mount.root, names)
        try:
            if before is not None and before.is_settled and before.key == _key_of(found):
                return before
            content = None
            if found.st_size <= _SMALL:
                content = os.pread(fd, found.st_size, 0)
                found = os.fstat(fd)
                if len(content) != found.st_size:
                    # It is being written: sent as a large one, it fails where it ends early.
                    content = None
            return Variant(names, coding, found, _fields(mount, names, coding, found), content)
        finally:
            close_descriptor(fd)

    # --- what is kept ---

    def _keep(self, path: str, file: StaticFile) -> None:
        variants = list(file.coded.values())
        if file.plain is not None:
            variants.append(file.plain)
        file.cost = sum(len(variant.content) for variant in variants if variant.content is not None)
        while self._files and (len(self._files) >= _MOST_FILES or self._held + file.cost > _MOST_BYTES):
            # The one that was looked at the longest time ago.
            self._forget(next(iter(self._files)))
        self._files[path] = file
        self._held += file.cost
        self._misses.pop(path, None)

    def _forget(self, path: str) -> None:
        file = self._files.pop(path, None)
        if file is not None:
            self._held -= file.cost


def _fields(mount: Mount, names: list[bytes], coding: str, found: os.stat_result) -> Headers:
    """What is said of the file at `names`, which holds another one in `coding`."""
    suffix = _SUFFIXES.get(coding, b"")
    # Typed by the name that is asked for, not by that of its precompressed neighbour.
    fields = mount.fields([*names[:-1], names[-1].removesuffix(suffix)], suffix, found)
    return [*fields, ("Content-Encoding", coding), _VARIES] if coding else fields


def _keep_head(rendered: Rendered, tail: str, shown: Headers, head: ResponseHead) -> None:
    rendered.tail = tail
    rendered.shown = shown
    rendered.head = head


def _key_of(found: os.stat_result) -> tuple[int, int, int, int]:
    """What differs when another file is there, or another content in it."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _redirect(request: Request, location: str) -> FileAnswer:
    query = f"?{request.query}" if request.query else ""
    return FileAnswer("301 Moved Permanently", [("Location", location + query)], -1, [])
