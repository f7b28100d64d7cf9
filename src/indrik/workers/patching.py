"""Has gevent replace what waits in the standard library, in a worker or in the process that preloads for it.

Nothing of gevent is imported before: the master, which imports the worker classes, stays as it is. See
docs/decisions/0010-gevent-stays-out-of-the-master.md.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import Any

from indrik.errors import ConfigError

#: The oldest gevent whose hub, forks and greenlets the kind was written for.
OLDEST = 25

# The process that was patched; what is forked from it is patched too.
_patched_in = 0


def check_gevent() -> None:
    """Raises `ConfigError` unless a gevent that is new enough is installed. Does not import it."""
    # Imported late: it brings the whole of `email` with it, and only this kind needs it.
    from importlib.metadata import PackageNotFoundError, version

    remedy = "install it with: pip install 'indrik[gevent]'"
    try:
        found = version("gevent")
    except PackageNotFoundError:
        raise ConfigError(
            f"worker_class 'gevent' needs gevent {OLDEST} or newer, which is not installed; {remedy}"
        ) from None
    major = found.partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST:
        raise ConfigError(f"worker_class 'gevent' needs gevent {OLDEST} or newer, not {found}; {remedy}")


def share_libraries(cfg: Any) -> None:
    """Master only: load OpenSSL, as the patching would in each worker, so that workers share the pages that
    loading it writes to.

    gevent replaces nothing in `_ssl`. `ssl` stays out: its classes would be those from before the patching.
    """
    if cfg.gevent_patch is not False:
        with contextlib.suppress(ImportError):
            import _ssl  # noqa: F401


def prepare_process(cfg: Any, owner: Any) -> None:
    """Patches as `cfg` says, and calls `post_patch` with `owner`; in a process forked from one that was
    patched, makes gevent at home instead.
    """
    global _patched_in
    import gevent

    if _patched_in and _patched_in != os.getpid():
        gevent.reinit()
    elif not _patched_in and cfg.gevent_patch is not False:
        from gevent import monkey

        _show_to_gevent()
        monkey.patch_all(**(cfg.gevent_patch if isinstance(cfg.gevent_patch, dict) else {}))
        _patched_in = os.getpid()
        cfg.post_patch(owner)


def _show_to_gevent() -> None:
    """gevent asks the collector for two things, and does not find what the worker has frozen: the locks of
    imports in progress, which it hands to its main greenlet, and who holds what it replaces in `ssl`, to warn
    of it.
    """
    if "ssl" in sys.modules or _is_importing():
        gc.unfreeze()


def _is_importing() -> bool:
    """Whether the server was started by a module that is still being imported."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
    return False
