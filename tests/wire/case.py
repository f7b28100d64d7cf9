"""What a wire case is: the bytes that a client sends, the server's settings, and all that must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: How the bytes of a case are handed over.
WHOLE = "whole"
BYTE_BY_BYTE = "byte by byte"
AT_CRLF = "at every CRLF"
WITH_TAIL = "with a tail"
MODES = (WHOLE, BYTE_BY_BYTE, AT_CRLF, WITH_TAIL)


@dataclass(frozen=True)
class Case:
    """One exchange of bytes.

    data: what the client sends. status: the final answers in their order; none where the server must wait for
    more. refused: the kind of refusal that the last answer is, None if the application gave them all. closes:
    whether the server ends the connection. seen: for each call of the application, keys of the environ with
    their values (None: must be absent) and `body`. answers: for each answer, `body`, `reason`, `complete` and
    fields by lower-case name (None: must be absent). logs: texts that the log must hold; without any it must
    be silent. settings: by their names in `Limits`, `EngineSettings` and `EnvironSettings`. application: a
    name in `applications`. trusted: whether the peer is a proxy that may say for whom it forwards. ends: the
    client ends its sending side.
    """

    name: str
    data: bytes
    status: tuple[int, ...] = (200,)
    refused: str | None = None
    closes: bool = False
    seen: tuple[Mapping[str, Any], ...] | None = None
    answers: tuple[Mapping[str, Any], ...] = ()
    logs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    application: str = "echo"
    trusted: bool = False
    ends: bool = False
    modes: tuple[str, ...] = MODES

    @property
    def calls(self) -> int:
        """How often the application must have been called."""
        if self.seen is not None:
            return len(self.seen)
        return len(self.status) - (self.refused is not None)


def request(*lines: str, body: bytes | str = b"") -> bytes:
    """A message of `lines`, each as Latin-1 with CRLF behind it, an empty line, and `body`."""
    head = "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"
    return head + (body.encode("latin-1") if isinstance(body, str) else body)


def get(*fields: str, target: str = "/", version: str = "1.1", host: str | None = "a") -> bytes:
    """A GET with `fields` behind its Host."""
    return request(f"GET {target} HTTP/{version}", *([] if host is None else [f"Host: {host}"]), *fields)


def post(*fields: str, body: bytes | str = b"", version: str = "1.1") -> bytes:
    """A POST to / with `fields` behind its Host, and `body`."""
    return request(f"POST / HTTP/{version}", "Host: a", *fields, body=body)


def good(name: str, data: bytes, *seen: Mapping[str, Any], **others: Any) -> Case:
    """A case whose requests all reach the application and are answered with 200."""
    others.setdefault("status", (200,) * max(1, len(seen)))
    return Case(name, data, seen=seen or None, **others)


def bad(name: str, data: bytes, kind: str, status: int = 400, *, after: int = 0, **others: Any) -> Case:
    """A case that is refused as `kind`, behind `after` good requests."""
    return Case(name, data, (*(200,) * after, status), refused=kind, closes=True, **others)


def waiting(name: str, data: bytes, **others: Any) -> Case:
    """A case in which the server has to wait for more."""
    return Case(name, data, (), **others)
