"""USR2: the program on disk takes over. The new master is exec'ed by the old one and inherits its listening
descriptors.

What it needs to know stands in two environment variables: INDRIK_PID, the old master's process id, and
INDRIK_FD, a JSON list of the listeners. Both serve side by side until one of them is stopped; which one is
the operator's choice.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from indrik import kept_signals
from indrik.arbiter.offspring import FORK_BLOCKED, status_of
from indrik.arbiter.seating import Seating
from indrik.arbiter.streams import flush_streams
from indrik.arbiter.titles import set_title
from indrik.errors import ConfigError, IndrikError
from indrik.net.addresses import format_address, parse_address
from indrik.net.listeners import Listener, adopt, create_sockets
from indrik.signals import KEPT_SIGNALS, MASTER_SIGNALS

PID_VARIABLE = "INDRIK_PID"
FD_VARIABLE = "INDRIK_FD"

#: systemd hands over descriptors from this number on (sd_listen_fds(3)).
SYSTEMD_FIRST_FD = 3


def exec_new_master(
    server: Any, listeners: Sequence[Listener], environment: Mapping[str, str], directory: str
) -> NoReturn:
    """In the forked child: become the new master, started exactly as this one was (script, `python -m`,
    virtual environment).
    """
    server.cfg.pre_exec(server)
    variables = dict(environment)
    # The watchdog's pings come from whoever is the main process, whatever its number.
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"):
        variables.pop(name, None)
    variables[PID_VARIABLE] = str(server.pid)
    told = [
        {"fd": one.fileno(), "file": one.owns_file, "asked": format_address(one.asked), "seat": one.seat}
        for one in listeners
    ]
    import json

    variables[FD_VARIABLE] = json.dumps({"activated": server.is_activated, "listeners": told})
    for listener in listeners:
        os.set_inheritable(listener.fileno(), True)
    flush_streams()
    os.chdir(directory)
    # What is ignored would stay so over the exec. And TERM that has come since the fork has to end this
    # process: the old master's handler would only note it, and the exec forget that.
    for number in signal.valid_signals():
        is_ignored = signal.getsignal(number) is signal.SIG_IGN
        if number in MASTER_SIGNALS or (is_ignored and number not in (signal.SIGPIPE, signal.SIGXFSZ)):
            signal.signal(number, signal.SIG_DFL)
    # What is blocked stays so, too. The command lets it come when it can keep it, HUP for the new master for
    # example; any other program gets nothing blocked.
    signal.pthread_sigmask(signal.SIG_SETMASK, KEPT_SIGNALS if kept_signals.is_used() else ())
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], variables)


def predecessor() -> int:
    """The pid of the master that started this one by USR2, 0 if nobody did. A stale variable, inherited from
    further up, counts as none.
    """
    text = os.environ.get(PID_VARIABLE, "")
    return int(text) if text.isdigit() and int(text) == os.getppid() else 0


def forget_predecessor() -> None:
    """This is the only master from now on."""
    for name in (PID_VARIABLE, FD_VARIABLE):
        os.environ.pop(name, None)


def open_listeners(
    cfg: Any, log: Any, seating: Seating, sleep: Callable[[float], None]
) -> tuple[list[Listener], bool]:
    """The listeners to start with: inherited ones where they fit `bind`, others anew. And whether they were
    activated.

    Activated ones come from a supervisor (sd_listen_fds(3)); then `bind` says nothing, neither here nor at a
    reload, nor in a new master. Raises ConfigError, BindError.
    """
    scheme = "https" if cfg.is_ssl else "http"
    activated = _systemd_listeners(scheme)
    if activated:
        return activated, True
    inherited, are_activated = _inherited_listeners(scheme)
    if are_activated:
        return inherited, True
    seated = [one for one in inherited if one.seat]
    inherited = [one for one in inherited if not one.seat]
    listeners: list[Listener] = []
    for address in cfg.address:
        found = next((one for one in inherited if one.is_for(address) and one not in listeners), None)
        if found is not None:
            listeners.append(found)
            seating.register(found, [one for one in seated if one.asked == found.asked])
        else:
            listeners += create_sockets(cfg, log, addresses=[address], sleep=sleep)
    for one in [*inherited, *seated]:
        if not any(one in seating.family(listener) for listener in listeners):
            # The old master goes on using it: its file stays.
            one.close(unlink=False)
    return listeners, False


def _inherited_listeners(scheme: str) -> tuple[list[Listener], bool]:
    """What the old master handed over, and whether it had been activated itself."""
    text = os.environ.pop(FD_VARIABLE, "")
    if not text:
        return [], False
    try:
        import json

        told = json.loads(text)
        entries = [
            (entry["fd"], bool(entry["file"]), entry["asked"], int(entry["seat"]))
            for entry in told["listeners"]
        ]
        activated = bool(told["activated"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"environment variable {FD_VARIABLE} cannot be read: {error!r}") from error
    listeners = []
    for fd, owns_file, asked, seat in entries:
        listener = adopt(fd, scheme, owns_file)
        listener.asked = parse_address(asked)
        listener.seat = seat
        listeners.append(listener)
    return listeners, activated


def _systemd_listeners(scheme: str) -> list[Listener]:
    """The descriptors of socket activation, if they are meant for this process."""
    meant_for, count = os.environ.get("LISTEN_PID", ""), os.environ.get("LISTEN_FDS", "")
    if not (meant_for.isdigit() and count.isdigit() and int(meant_for) == os.getpid()):
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return [adopt(SYSTEMD_FIRST_FD + index, scheme) for index in range(int(count))]


class Handover:
    """The master's relation to the one that it starts (its successor) and to the one that started it. Master
    only.
    """

    def __init__(self, server: Any) -> None:
        self._server = server

    def start_successor(self) -> None:
        """Fork and exec a new master, unless there are two already."""
        server = self._server
        if server.reexec_pid:
            server.log.warning("USR2 ignored: a new master is running already (pid: %s)", server.reexec_pid)
            return
        if server.master_pid:
            server.log.warning("USR2 ignored: the old master is still running (pid: %s)", server.master_pid)
            return
        flush_streams()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, FORK_BLOCKED)
        try:
            pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            server.log.error("The new master cannot be started, this one goes on: %s", error)
            return
        if pid == 0:
            status = 127
            try:
                signal.set_wakeup_fd(-1)
                environment = getattr(server.cfg, "env_orig", os.environ)
                exec_new_master(server, server.all_listeners(), environment, server.start_directory)
            except SystemExit as stop:
                server.log.error("No new master: hook pre_exec called exit(%s)", stop.code)
                status = status_of(stop)
            except BaseException:
                server.log.exception("The new master cannot be started")
            finally:
                # Nothing of the old master may run here: no hook, no cleaning up.
                os._exit(status)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        server.reexec_pid = pid
        server.supervisor.reloading()
        server.log.info("New master started (pid: %s); stop this one with TERM when the new one serves", pid)

    def note_successor_gone(self, code: int) -> None:
        """The new master has ended; this one was never anything but the master."""
        server = self._server
        server.reexec_pid = 0
        server.report_serving()
        if code:
            server.log.error("The new master exited with code %s; this one goes on", code)
        else:
            server.log.info("The new master has stopped; this one goes on")

    def maybe_promote(self) -> None:
        """Become the only master once the one that started this one is gone (its child is then another's)."""
        server = self._server
        if not server.master_pid or server.master_pid == os.getppid():
            return
        server.log.info("Master has been promoted.")
        server.master_name = "Master"
        gone, server.master_pid = server.master_pid, 0
        server.proc_name = server.cfg.proc_name
        forget_predecessor()
        if server.pidfile is not None:
            try:
                server.pidfile.rename(server.name_pidfile(), predecessor=gone)
            except IndrikError as error:
                # The only master there is: it serves on, and its pid stays where it was.
                server.log.error("%s; the pid of this master stays in %s", error, server.pidfile.path)
        set_title(f"master [{server.proc_name}]")
        server.report_serving()
