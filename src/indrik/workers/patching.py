"""Has gevent replace what waits in the standard library, in a worker or in the process that preloads for it.

Nothing of gevent is imported before: the master, which imports the worker classes, stays as it is.
"""

from __future__ import annotations

import os
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

        monkey.patch_all(**(cfg.gevent_patch if isinstance(cfg.gevent_patch, dict) else {}))
        _patched_in = os.getpid()
        cfg.post_patch(owner)
