"""HUP as a transaction: the new configuration and one new worker must prove themselves before anything old
goes.

Steps: `begin` reads and checks the configuration, opens added listeners and puts the generation on trial;
`plan` boots a canary; `confirm` makes the configuration the valid one and lets the roll begin; `complete`
lets go of what is no longer needed. `abandon` can end it at any time before that: the workers of the old
generation have gone on serving.
"""

from __future__ import annotations

import os
from typing import Any

from indrik.arbiter import hooks
from indrik.arbiter.generation import Generation
from indrik.errors import IndrikError
from indrik.net.addresses import format_address
from indrik.net.listeners import Listener, open_listener
from indrik.scoreboard.board import Event

#: After the canary has passed, this many new workers in a row must fail before the roll is turned back: by
#: then the new code is known to start.
ROLL_FAILURES = 3


class Reload:
    """The reload in progress, if there is one. Master only."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.candidate: Generation | None = None
        self.rolling = False
        #: HUP came in while another reload was under way.
        self.queued = False
        self._failures = 0
        self._old: Generation | None = None
        self._last_number = 1

    @property
    def is_active(self) -> bool:
        """Whether a generation is on trial or rolling."""
        return self.candidate is not None

    def begin(self) -> None:
        """Start a reload, or remember that one is wanted. Whatever fails is logged, and leaves everything as
        it was.
        """
        server = self._server
        if self.is_active:
            self.queued = True
            server.log.info("Reload queued: it begins when the one under way has ended")
            return
        old = server.current
        self._old = old
        added: list[Listener] = []
        try:
            candidate = self._read(old, added)
        except Exception as error:
            if isinstance(error, IndrikError):
                server.log.error("Reload abandoned, nothing has changed: %s", error)
            else:
                server.log.exception("Reload abandoned, nothing has changed")
            server.scoreboard.note(Event.RELOAD_ABANDONED)
            for listener in added:
                listener.close(unlink=True)
            self._back_to(old)
            server.report_serving("; the last reload failed")
            return
        self.candidate = candidate
        self.rolling = False
        self._failures = 0

    def _read(self, old: Generation, added: list[Listener]) -> Generation:
        """The next generation. Raises what is wrong with it; `added` tells what was opened so far."""
        server = self._server
        app = server.app
        server.environment.undo()
        app.reload()
        app.callable = None
        cfg = app.cfg
        server.environment.apply(cfg.env)
        worker_class = cfg.worker_class
        log = server.log
        if type(log) is cfg.logger_class:
            log.setup(cfg)
            log.reopen_files()
        else:
            log = cfg.logger_class(cfg)
        for text in cfg.warnings:
            log.warning("%s", text)
        if cfg.reuse_port != old.cfg.reuse_port:
            raise IndrikError(
                "reuse_port cannot be changed by a reload, the sockets are bound already; restart the server"
            )
        listeners = list(old.listeners) if server.is_activated else _listeners_for(cfg, old, added)
        check_config = getattr(worker_class, "check_config", None)
        if check_config is not None:
            check_config(cfg, log)
        self._last_number += 1
        candidate = Generation(self._last_number, cfg, log, listeners)
        server.cfg, server.log = cfg, log
        server.LISTENERS = listeners
        hooks.call(server, cfg, "on_reload", server)
        server.prepare(candidate)
        # The old configuration stays in force, for old workers too, until the canary has passed.
        server.cfg, server.LISTENERS = old.cfg, old.listeners
        return candidate

    def confirm(self) -> None:
        """The canary is ready and stayed so: the new configuration is the valid one, old workers may be
        replaced.
        """
        server, candidate = self._server, self.candidate
        assert candidate is not None
        self.rolling = True
        self._failures = 0
        server.log.info(
            "Reload: generation %d is up, replacing the workers of generation %d",
            candidate.number,
            server.current.number,
        )
        server.adopt(candidate)

    def complete(self) -> None:
        """No old worker is left."""
        server, candidate, old = self._server, self.candidate, self._old
        assert candidate is not None
        assert old is not None
        self.candidate = None
        self.rolling = False
        server.current = candidate
        for listener in old.listeners:
            if listener not in candidate.listeners:
                server.seating.close(listener, unlink=True)
        server.discard(old)
        server.scoreboard.note(Event.RELOADED)
        server.log.info("Reload complete: generation %d serves", candidate.number)
        server.report_serving()
        self._next()

    def note_failure(self, generation: int, what: str) -> None:
        """A worker failed by itself. Ends the reload if it was the canary, or one too many."""
        if self.candidate is None or generation != self.candidate.number:
            return
        self._failures += 1
        if not self.rolling or self._failures >= ROLL_FAILURES:
            self.abandon(what)

    def note_ready(self, generation: int) -> None:
        """A worker of `generation` has become ready."""
        if self.candidate is not None and generation == self.candidate.number:
            self._failures = 0

    def abandon(self, why: str) -> None:
        """Go back to the old generation. Workers of the new one that serve already are replaced like any
        other stale one.
        """
        server, candidate, old = self._server, self.candidate, self._old
        if candidate is None or old is None:
            return
        rolled = self.rolling
        self.candidate = None
        self.rolling = False
        self._back_to(old)
        if rolled:
            server.adopt(old)
        for listener in candidate.listeners:
            if listener not in old.listeners:
                server.seating.close(listener, unlink=True)
        server.discard(candidate)
        server.scoreboard.note(Event.RELOAD_ABANDONED)
        server.log.error(
            "Reload abandoned: %s. Generation %d goes on serving; mend it and send HUP again", why, old.number
        )
        server.report_serving("; the last reload failed")
        self._next()

    def _back_to(self, old: Generation) -> None:
        server = self._server
        server.cfg = old.cfg
        server.LISTENERS = old.listeners
        old.enter(server.app, server.environment)
        try:
            old.log.setup(old.cfg)
        except Exception as error:
            # A logger class of the operator's own may raise anything.
            told = None if isinstance(error, IndrikError | OSError) else error
            old.log.error(
                "The log outputs from before the reload cannot be opened again: %s", error, exc_info=told
            )
        server.log = old.log

    def _next(self) -> None:
        if self.queued:
            self.queued = False
            self._server.log.info("Reload: beginning the queued one")
            self._server.supervisor.reloading()
            self.begin()


def _listeners_for(cfg: Any, old: Generation, added: list[Listener]) -> list[Listener]:
    """The old generation's listeners where they fit `bind`, others anew (and noted in `added`)."""
    listeners: list[Listener] = []
    for address in cfg.address:
        known = next((one for one in old.listeners if one.is_for(address) and one not in listeners), None)
        if known is None:
            known = _open(address, cfg)
            added.append(known)
        else:
            known.relisten(cfg.backlog)
        listeners.append(known)
    return listeners


def _open(address: Any, cfg: Any) -> Listener:
    """Open a listener that the new configuration adds. One try: the loop must not stand still meanwhile."""
    try:
        return open_listener(address, cfg, "https" if cfg.is_ssl else "http")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise IndrikError(f"cannot listen on {format_address(address)}: {reason}") from error
