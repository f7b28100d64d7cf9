"""Which directory a path below a prefix belongs to, and what the fields of a file's response say."""

from __future__ import annotations

import mimetypes
import os
import time
from collections.abc import Mapping, Sequence

from indrik.errors import ConfigError
from indrik.gateway.file_answer import Headers
from indrik.protocol.response import format_date

#: The file that stands for its directory.
INDEX = b"index.html"

#: The one name with a dot in front that is meant for everybody (RFC 8615).
_WELL_KNOWN = b".well-known"

#: Types beside text/* and +xml that are text, and in UTF-8 where nobody says otherwise.
_TEXTS = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/sql",
        "application/xml",
        "application/xml-dtd",
        "application/xml-external-parsed-entity",
    }
)


class Mount:
    """A directory whose files are served below a prefix.

    prefix: octets of the path, decoded, without a slash at the end. root: the directory. route: what the
    access log calls it. has_index: whether a directory is answered by its index. is_framework: the paths are
    those that the application's framework sees, so SCRIPT_NAME counts. judges_hosts: whether `trusts` is to
    be asked.
    """

    has_index = True
    is_framework = False
    judges_hosts = False

    def __init__(self, prefix: bytes, root: bytes, max_age: int | None = None) -> None:
        self.prefix = prefix
        self.root = root
        self.max_age = max_age
        self.route = os.fsdecode(prefix) + "/<path:filename>"

    def names_of(self, path: bytes) -> list[bytes] | None:
        """The names that lead to what `path` is, from the root on; the last one is empty behind a slash. None
        if it is not below the prefix, or leads to nothing that may be served.
        """
        if path == self.prefix:
            return []
        if not path.startswith(self.prefix + b"/"):
            return None
        names = path[len(self.prefix) + 1 :].split(b"/")
        if b"" in names[:-1] or any(self.hides(name) for name in names):
            return None
        return names

    def hides(self, name: bytes) -> bool:
        """Whether no file of that name, and nothing below it, is served."""
        return name.startswith(b".") and name != _WELL_KNOWN

    def owns(self, path: bytes) -> bool:
        """Whether a file at `path` is the server's to send."""
        return True

    def trusts(self, host: str) -> bool:
        """Whether a request for `host` is answered."""
        return True

    def fields(self, names: Sequence[bytes], suffix: bytes, found: os.stat_result) -> Headers:
        """What is said of the file at `names`, or of its precompressed neighbour with `suffix`, but of when
        it expires.
        """
        fields = self._content_type(names[-1])
        fields.append(("Last-Modified", format_date(time.gmtime(found.st_mtime))))
        fields.append(("Cache-Control", self._cache_control()))
        fields.append(("ETag", self.etag(names, suffix, found)))
        return fields

    def expires(self) -> Headers:
        """What is said of the end of its freshness, as of now."""
        if self.max_age is None:
            return []
        return [("Expires", format_date(time.gmtime(int(time.time() + self.max_age))))]

    def etag(self, names: Sequence[bytes], suffix: bytes, found: os.stat_result) -> str:
        """The entity tag: of another one for each coding (RFC 9110 section 8.8.3.3)."""
        coding = suffix.decode("ascii").replace(".", "-")
        return f'"{found.st_mtime_ns:x}-{found.st_size:x}{coding}"'

    def _content_type(self, name: bytes) -> Headers:
        guessed, encoding = mimetypes.guess_type(os.fsdecode(name))
        kind = guessed or "application/octet-stream"
        if kind.startswith("text/") or kind in _TEXTS or kind.endswith("+xml"):
            kind += "; charset=utf-8"
        fields = [("Content-Type", kind)]
        if encoding is not None:
            fields.insert(0, ("Content-Encoding", encoding))
        return fields

    def _cache_control(self) -> str:
        if self.max_age is None:
            return "no-cache"
        return f"public, max-age={self.max_age}" if self.max_age > 0 else f"no-cache, max-age={self.max_age}"


def check_directories(mapping: Mapping[str, str], folder: str) -> None:
    """Raises `ConfigError` if what `mapping` names is no directory; relative names are below `folder`."""
    for prefix, directory in mapping.items():
        path = os.path.join(folder, directory)
        if not os.path.isdir(path):
            raise ConfigError(f"static: {prefix} is to be served from {path!r}, which is no directory")


def mounts_of(mapping: Mapping[str, str], max_age: int | None) -> list[Mount]:
    """The mounts of a mapping of prefixes to directories."""
    return [
        Mount(os.fsencode(prefix.rstrip("/")), os.fsencode(os.path.abspath(directory)), max_age)
        for prefix, directory in mapping.items()
    ]
