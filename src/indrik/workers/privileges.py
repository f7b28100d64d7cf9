"""Giving up the master's user and group, once and for good."""

from __future__ import annotations

import os
import pwd


def drop_privileges(uid: int, gid: int, initgroups: bool) -> None:
    """Worker only. Become user `uid` and group `gid`, group first because afterwards nothing more is allowed.

    With `initgroups` the user's groups come from the group database; otherwise, when the user changes, the
    process keeps no other group than `gid`: the master's groups (root's, as a rule) are not the worker's.
    Raises OSError.
    """
    changes_user = uid != os.geteuid()
    if initgroups:
        os.initgroups(_name_of(uid), gid)
    elif changes_user and os.geteuid() == 0:
        os.setgroups([gid])
    if gid != os.getegid() or gid != os.getgid():
        os.setgid(gid)
    if changes_user or uid != os.getuid():
        os.setuid(uid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise OSError(f"initgroups needs a user that is in the user database, but {uid} is not") from None
