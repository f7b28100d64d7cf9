"""What is at the paths of static files: found, looked at again after a while, and kept within bounds.

Nothing here knows a request.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.engine.transport import close_descriptor
from indrik.gateway.file_answer import Headers
from indrik.gateway.file_root import open_below
from indrik.gateway.static_mounts import INDEX, Mount
from indrik.protocol.codings import IDENTITY
from indrik.protocol.response import ResponseHead

#: Seconds for which what was found at a path, or that nothing was, is believed.
_FRESH = 1.0

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


class FileStore:
    """The files below some mounts. For whoever holds the engine's ownership."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        # The longest first: it is the most particular. Of equals the first, as in Flask's routing.
        self._mounts = sorted(mounts, key=lambda mount: -len(mount.prefix))
        self._files: dict[str, StaticFile] = {}
        self._held = 0
        self._misses: dict[str, float] = {}

    def get(self, path: str, now: cython.double) -> StaticFile | None:
        """What is at `path`, the latin-1 text of its octets; None if nothing is. now: monotonic seconds."""
        file: StaticFile | None = self._files.get(path)
        if file is None or now - file.checked_at >= _FRESH:
            return self._look(path, now)
        return file

    def open(self, file: StaticFile, variant: Variant) -> tuple[int, Variant]:
        """A descriptor of a large file, which is the caller's to close, and `variant` as it is now. Raises
        `OSError`.
        """
        try:
            fd, found = open_below(file.mount.root, variant.names)
        except OSError:
            # Gone, or something else by now: the next one will see what.
            file.checked_at = 0.0
            raise
        if _key_of(found) == variant.key:
            return fd, variant
        file.checked_at = 0.0
        try:
            fields = _fields(file.mount, variant.names, variant.coding, found)
        except BaseException:
            close_descriptor(fd)
            raise
        if _VARIES in variant.fields and _VARIES not in fields:
            fields.append(_VARIES)
        return fd, Variant(variant.names, variant.coding, found, fields, None)

    def _look(self, path: str, now: cython.double) -> StaticFile | None:
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


def _key_of(found: os.stat_result) -> tuple[int, int, int, int]:
    """What differs when another file is there, or another content in it."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
