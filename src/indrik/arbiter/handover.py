"""USR2: the program on disk takes over. The new master is exec'ed by the old one and inherits its listening descriptors.

What it needs to know stands in two environment variables: INDRIK_PID, the old master's process id, and INDRIK_FD, a JSON list of
the listeners. Both serve side by side until one of them is stopped; which one is the operator's choice.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from indrik.errors import ConfigError
from indrik.net.addresses import Address, format_address, parse_address
from indrik.net.listeners import Listener, adopt

PID_VARIABLE = "INDRIK_PID"
FD_VARIABLE = "INDRIK_FD"

#: systemd hands over descriptors from this number on (sd_listen_fds(3)).
SYSTEMD_FIRST_FD = 3


def exec_new_master(server: Any, listeners: Sequence[Listener], environment: Mapping[str, str], directory: str) -> NoReturn:
    """In the forked child: become the new master, started exactly as this one was (script, `python -m`, virtual environment)."""
    server.cfg.pre_exec(server)
    variables = dict(environment)
    # The watchdog's pings come from whoever is the main process, whatever its number.
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"):
        variables.pop(name, None)
    variables[PID_VARIABLE] = str(server.pid)
    variables[FD_VARIABLE] = json.dumps(
        [{"fd": one.fileno(), "file": one.owns_file, "asked": format_address(one.asked)} for one in listeners]
    )
    for listener in listeners:
        os.set_inheritable(listener.fileno(), True)
    os.chdir(directory)
    # Handlers go at the exec, but what is ignored or blocked would stay so.
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN and number not in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], variables)


def predecessor() -> int:
    """The pid of the master that started this one by USR2, 0 if nobody did. A stale variable, inherited from further up, counts as none."""
    text = os.environ.get(PID_VARIABLE, "")
    return int(text) if text.isdigit() and int(text) == os.getppid() else 0


def forget_predecessor() -> None:
    """This is the only master from now on."""
    for name in (PID_VARIABLE, FD_VARIABLE):
        os.environ.pop(name, None)


def inherited_listeners(scheme: str) -> list[Listener]:
    """What the old master handed over. Raises ConfigError if the variable or a descriptor is not what it should be."""
    text = os.environ.pop(FD_VARIABLE, "")
    if not text:
        return []
    listeners = []
    try:
        entries = [(entry["fd"], bool(entry["file"]), entry["asked"]) for entry in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"environment variable {FD_VARIABLE} cannot be read: {error!r}") from error
    for fd, owns_file, asked in entries:
        listener = adopt(fd, scheme, owns_file)
        listener.asked = parse_address(asked)
        listeners.append(listener)
    return listeners


def systemd_listeners(scheme: str) -> list[Listener]:
    """The descriptors of socket activation (sd_listen_fds(3)), if they are meant for this process. Raises ConfigError."""
    meant_for, count = os.environ.get("LISTEN_PID", ""), os.environ.get("LISTEN_FDS", "")
    if not (meant_for.isdigit() and count.isdigit() and int(meant_for) == os.getpid()):
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return [adopt(SYSTEMD_FIRST_FD + index, scheme) for index in range(int(count))]


def match(wanted: Sequence[Address], inherited: Sequence[Listener]) -> tuple[list[Listener | Address], list[Listener]]:
    """For each wanted address the inherited listener that has it, else the address itself; and those that nobody wants."""
    left = list(inherited)
    result: list[Listener | Address] = []
    for address in wanted:
        found = next((one for one in left if one.is_for(address)), None)
        if found is not None:
            left.remove(found)
        result.append(address if found is None else found)
    return result, left


def close_quietly(listeners: Sequence[Listener]) -> None:
    """Close descriptors that another process goes on using: no file is removed."""
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.close(unlink=False)
