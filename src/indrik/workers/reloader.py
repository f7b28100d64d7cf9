"""`reload`, for development: a thread that notices when a file of the application has changed.

What has changed is found by looking at modification times. When to look comes from the package watchfiles
where it is installed (the kernel tells), otherwise from a clock.
"""

from __future__ import annotations

import glob
import os
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from indrik.errors import ConfigError

#: Seconds between two looks without watchfiles, and at most between two with it.
INTERVAL = 0.2
LONGEST_INTERVAL = 0.5

#: CLOCK_REALTIME_COARSE of clock_gettime(2), which Linux takes the times of files from.
_FILE_CLOCK = 5


def find_engine(wanted: str) -> Any:
    """The watchfiles package, or None for polling. Raises ConfigError if it is wanted and not installed."""
    if wanted == "poll":
        return None
    try:
        import watchfiles
    except ImportError:
        if wanted == "inotify":
            raise ConfigError(
                "reload_engine 'inotify' needs the package watchfiles: pip install 'indrik[reload]'"
            ) from None
        return None
    return watchfiles


class Reloader(threading.Thread):
    """Calls `on_change` with a file's name, once, from its own thread. `extra` may hold patterns; they are
    looked up again each time.
    """

    def __init__(self, extra: Iterable[str], engine: Any, on_change: Callable[[str], None]) -> None:
        super().__init__(name="indrik-reloader", daemon=True)
        self._extra = list(extra)
        self._engine = engine
        self._on_change = on_change
        self._stop_event = threading.Event()
        self._known: dict[str, tuple[int, int] | None] = {}
        self._also: set[str] = set()

    def also_watch(self, names: Iterable[str]) -> None:
        """Files that no loaded module tells of, such as one that failed to load."""
        self._also.update(names)

    def run(self) -> None:
        while not self._stop_event.is_set():
            self._wait()
            changed = self.find_change()
            if changed is not None:
                self._on_change(changed)
                return

    def stop(self) -> None:
        """End the thread soon."""
        self._stop_event.set()

    def begin(self, since: float) -> str | None:
        """Know all files as they are now; the first one that has changed after `since`, a time of
        `file_time`.
        """
        changed = None
        for name in self.files():
            if name in self._known:
                continue
            self._known[name] = _stamp(name)
            if changed is None and _changed_at(name) >= since:
                changed = name
        return changed

    def find_change(self) -> str | None:
        """The first file that has changed since the last look. A file seen for the first time has not
        changed.
        """
        for name in self.files():
            now = _stamp(name)
            if name not in self._known:
                self._known[name] = now
            elif now != self._known[name]:
                if now is None:
                    # Editors replace files: for a moment there is none. A deleted one is no change to load.
                    continue
                self._known[name] = now
                return name
        return None

    def files(self) -> Iterator[str]:
        """Sources of the loaded modules, extra files, files named by `also_watch`."""
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            if isinstance(name, str):
                yield name[:-1] if name.endswith(".pyc") else name
        for pattern in self._extra:
            yield from glob.glob(pattern, recursive=True) if glob.has_magic(pattern) else (pattern,)
        yield from list(self._also)

    def _wait(self) -> None:
        if self._engine is None:
            self._stop_event.wait(INTERVAL)
            return
        folders = {os.path.dirname(os.path.abspath(name)) for name in self.files()}
        watching = self._engine.watch(
            *(folder for folder in folders if os.path.isdir(folder)),
            watch_filter=None,
            recursive=False,
            debounce=100,
            step=20,
            rust_timeout=int(LONGEST_INTERVAL * 1000),
            yield_on_timeout=True,
            stop_event=self._stop_event,
            raise_interrupt=False,
        )
        try:
            next(watching, None)
        except (OSError, RuntimeError):
            # A folder has gone meanwhile, or the kernel has no watch left (inotify(7)): by the clock then.
            self._stop_event.wait(INTERVAL)
        finally:
            watching.close()


def _stamp(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def file_time() -> float:
    """Now, in seconds since the epoch, as a file would show it that is written now."""
    return time.clock_gettime(_FILE_CLOCK)


def _changed_at(name: str) -> float:
    """When the file was last written, by the system's clock, whatever the time is that it was given. 0 for a
    folder, in which the application itself may have made a file.
    """
    try:
        found = os.stat(name)
    except OSError:
        return 0.0
    return found.st_ctime if stat.S_ISREG(found.st_mode) else 0.0


def files_of(error: BaseException) -> set[str]:
    """What may change to cure `error`: all files in its traceback and in those that led to it, the one with
    wrong syntax, and their folders, in which one may be missing.
    """
    names: set[str] = set()
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        names.update(frame.filename for frame in traceback.extract_tb(current.__traceback__))
        if isinstance(current, SyntaxError) and current.filename:
            names.add(current.filename)
        current = current.__cause__ or current.__context__
    return names | {os.path.dirname(name) for name in names if os.path.isabs(name)} | {os.getcwd()}
