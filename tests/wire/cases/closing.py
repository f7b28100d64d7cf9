"""`close` of the iterable exactly once, whatever happens, and files (PEP 3333, "Specification Details")."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tempfile
from typing import Any

from tests.wire.applications import Closing, Named, _file, with_result, wrapped
from tests.wire.case import Case, get, request
from tests.wire.cases.responses import answered, broken

_HEAD = request("HEAD / HTTP/1.1", "Host: a")
_DIGITS = b"0123456789"


def _closing(
    name: str, *items: Any, headers: tuple[tuple[str, str], ...] = (), status: str = "200 OK"
) -> str:
    return with_result(name, lambda: Closing(*items), *headers, status=status)


def _compressed(open_file: Any) -> Any:
    path = tempfile.mktemp(prefix="indrik-test-")
    with open_file(path, "wb") as file:
        file.write(b"plain text")
    file = open_file(path, "rb")
    os.unlink(path)
    return file


def _spooled() -> Any:
    file = tempfile.SpooledTemporaryFile(max_size=1000)  # noqa: SIM115
    file.write(_DIGITS)
    file.seek(3)
    return file


def _unflushed() -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(_DIGITS)
    file.seek(0)
    file.write(b"abc")
    file.seek(2, os.SEEK_SET)
    return file


def _text_file() -> Any:
    file = tempfile.TemporaryFile("w+")  # noqa: SIM115
    file.write("text")
    file.seek(0)
    return file


def _pipe() -> Any:
    reading, writing = os.pipe()
    os.write(writing, _DIGITS)
    os.close(writing)
    return os.fdopen(reading, "rb")


def _seeked(file: Any, position: int) -> Any:
    file.seek(position)
    return file


def _named() -> Any:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    file.write(_DIGITS)
    file.seek(0)
    return file


class _Reader:
    """The least that PEP 3333 asks of a file-like object."""

    def __init__(self) -> None:
        self._data = io.BytesIO(_DIGITS)

    def read(self, size: int) -> bytes:
        return self._data.read(size)


class _Liar(io.BytesIO):
    """Has a descriptor that is not where its bytes come from."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._other = _file(b"wrong file")

    def fileno(self) -> int:
        return int(self._other.fileno())

    def close(self) -> None:
        self._other.close()
        super().close()


# Every case whose application notes `close` is checked for exactly one; see the runner.
CASES: tuple[Case, ...] = (
    answered("close after the body", _closing("close after the body", b"a", b"b"), body=b"ab"),
    answered("close after an empty body", _closing("close after an empty body"), content_length="0"),
    answered("close after HEAD", _closing("close after HEAD", b"a", b"b"), _HEAD, body=b""),
    answered("close after 204", _closing("close after 204", b"a", b"b", status="204 No Content"), status=204),
    answered(
        "close after too much",
        _closing("close after too much", b"abc", b"d", headers=(("Content-Length", "2"),)),
        closes=True,
        body=b"ab",
        logs=("more than",),
    ),
    answered(
        "close after too little",
        _closing("close after too little", b"a", headers=(("Content-Length", "2"),)),
        closes=True,
        complete=False,
        logs=("1 bytes of",),
    ),
    broken(
        "close after a bad header",
        _closing("close after a bad header", b"a", headers=(("X", "\n"),)),
        "RFC 9110 section 5.5",
    ),
    broken(
        "close after a bad status", _closing("close after a bad status", b"a", status="nonsense"), "PEP 3333"
    ),
    broken("close after a bad first item", _closing("close after a bad first item", "text"), "PEP 3333"),
    broken(
        "close after an exception at the first item", "raises at the first item", "the application failed"
    ),
    answered(
        "close after an exception in the body",
        "raises in the body",
        closes=True,
        complete=False,
        logs=("the application failed",),
    ),
    answered(
        "close after an exception in a body of known length",
        "raises in a body of known length",
        closes=True,
        complete=False,
        logs=("the application failed",),
    ),
    answered(
        "close after an exception in a body that the end of the connection frames",
        "raises in the body",
        get(version="1.0"),
        closes=True,
        logs=("the application failed",),
    ),
    answered(
        "an exception in close does not spoil the response",
        "raises at close",
        body=b"hello",
        logs=("the application failed",),
    ),
    answered("write in close is too late", "written while closing", body=b"hello", logs=("PEP 3333",)),
    # --- files
    answered("a file", wrapped("a file", lambda: _file(_DIGITS)), content_length="10", body=_DIGITS),
    answered(
        "a file from a position",
        wrapped("a file from a position", lambda: _file(_DIGITS, 3)),
        content_length="7",
        body=b"3456789",
    ),
    answered("a file that was partly read", "file partly read", content_length="6", body=b"456789"),
    answered(
        "a file at its end",
        wrapped("a file at its end", lambda: _file(_DIGITS, 10)),
        content_length="0",
        body=b"",
    ),
    answered(
        "a file beyond its end",
        wrapped("a file beyond its end", lambda: _file(_DIGITS, 20)),
        content_length="0",
        body=b"",
    ),
    answered("an empty file", wrapped("an empty file", lambda: _file(b"")), content_length="0", body=b""),
    answered(
        "a large file",
        wrapped("a large file", lambda: _file(b"x" * 3000000)),
        content_length="3000000",
        body=b"x" * 3000000,
    ),
    answered(
        "a file for HEAD",
        wrapped("a file for HEAD", lambda: _file(_DIGITS)),
        _HEAD,
        content_length="10",
        body=b"",
    ),
    answered(
        "a file on 1.0",
        wrapped("a file on 1.0", lambda: _file(_DIGITS)),
        get(version="1.0"),
        closes=True,
        content_length="10",
        body=_DIGITS,
    ),
    answered(
        "a file with an own length",
        wrapped("a file with an own length", lambda: _file(_DIGITS), ("Content-Length", "10")),
        content_length="10",
        body=_DIGITS,
    ),
    answered(
        "a range of a file",
        wrapped("a range of a file", lambda: _file(_DIGITS, 2), ("Content-Length", "3")),
        content_length="3",
        body=b"234",
    ),
    answered(
        "a file shorter than its length",
        wrapped("a file shorter than its length", lambda: _file(_DIGITS), ("Content-Length", "20")),
        closes=True,
        complete=False,
        logs=("10 bytes of its Content-Length of 20",),
    ),
    answered(
        "a file and blocks",
        wrapped("a file and blocks", lambda: _file(_DIGITS), block=3),
        content_length="10",
        body=_DIGITS,
    ),
    answered(
        "a file behind written text",
        "file behind written text",
        transfer_encoding="chunked",
        body=b"first 0123456789",
    ),
    answered("a file is closed once", "file that notes its end", body=b"hello"),
    answered(
        "an object without a descriptor",
        wrapped("an object without a descriptor", lambda: Named(_DIGITS)),
        body=_DIGITS,
    ),
    answered(
        "an object without a descriptor, from a position",
        wrapped("an object without a descriptor, from a position", lambda: _seeked(Named(_DIGITS), 4)),
        body=b"456789",
    ),
    answered(
        "an object with nothing but read",
        wrapped("an object with nothing but read", _Reader, block=3),
        transfer_encoding="chunked",
        body=_DIGITS,
    ),
    answered("a pipe", wrapped("a pipe", _pipe), transfer_encoding="chunked", body=_DIGITS),
    answered(
        "a compressed file is read, not sent as it is",
        wrapped("a compressed file is read, not sent as it is", lambda: _compressed(gzip.open)),
        body=b"plain text",
    ),
    answered(
        "a compressed file of another kind",
        wrapped("a compressed file of another kind", lambda: _compressed(bz2.open)),
        body=b"plain text",
    ),
    answered(
        "an object that lends its descriptor only",
        wrapped("an object that lends its descriptor only", lambda: _Liar(b"right file")),
        body=b"right file",
    ),
    answered("a spooled temporary file", wrapped("a spooled temporary file", _spooled), body=b"3456789"),
    answered(
        "a named temporary file",
        wrapped("a named temporary file", lambda: _named()),
        content_length="10",
        body=_DIGITS,
    ),
    answered(
        "what was written and not flushed",
        wrapped("what was written and not flushed", _unflushed),
        body=b"c3456789",
    ),
    answered(
        "a file without buffer",
        wrapped("a file without buffer", lambda: open(os.open("/dev/null", os.O_RDONLY), "rb", buffering=0)),  # noqa: SIM115
        body=b"",
    ),
    answered(
        "a file of /proc, which says that it is empty",
        wrapped("a file of /proc, which says that it is empty", lambda: open("/proc/self/comm", "rb")),  # noqa: SIM115
        body_length=True,
    ),
    broken("a file of text", wrapped("a file of text", _text_file), "PEP 3333"),
)
