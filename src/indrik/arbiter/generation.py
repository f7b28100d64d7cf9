"""A generation: one reading of the configuration, the listeners that it asks for, and the workers forked from
both.

Two generations live side by side while a reload is on trial, and a worker of either may have to be started.
So each keeps what the process looked like when its configuration was read, and a forked worker enters the
generation it belongs to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from indrik.arbiter import spew
from indrik.net.listeners import Listener
from indrik.quotas import Quota


class Environment:
    """The variables of `raw_env` in the master's environment, put in and taken out again."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def apply(self, variables: Mapping[str, str]) -> None:
        """Set these, and only these: what was set before is undone first."""
        self.undo()
        for name, value in variables.items():
            self._before[name] = os.environ.get(name)
            os.environ[name] = value

    def undo(self) -> None:
        """The environment without `raw_env`."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()


@dataclass(eq=False)
class Generation:
    """Generation `number`, as it was when its configuration had been read."""

    number: int
    cfg: Any
    log: Any
    listeners: list[Listener]
    directory: str = field(default_factory=os.getcwd)
    path: list[str] = field(default_factory=lambda: list(sys.path))
    #: Loads the application before the fork (`preload_app`); None: each worker loads it.
    preloader: Any = None
    #: What its workers share for the limits of routes, by the keys of `routes`.
    quotas: Mapping[str, Quota] = field(default_factory=dict)

    def enter(self, app: Any, environment: Environment) -> None:
        """Make this process one of this generation: directory, import path, environment, configuration of
        `app`.
        """
        try:
            os.chdir(self.directory)
        except OSError as error:
            # A deployment has removed it. Who comes from there is in it still, and code that is installed
            # elsewhere runs as well as before: no reason to end, least of all for the master.
            self.log.warning(
                "The working directory %s of generation %d cannot be entered any more: %s",
                self.directory,
                self.number,
                error.strerror,
            )
        sys.path[:] = self.path
        environment.apply(self.cfg.env)
        spew.follow(self.cfg.spew)
        if app.cfg is not self.cfg:
            app.cfg = self.cfg
            app.callable = None

    @property
    def can_spawn(self) -> bool:
        """Whether workers of it can be forked now."""
        return self.preloader is None or bool(self.preloader.can_fork)

    def limits_boot(self) -> float:
        """Seconds a worker may take to become ready; 0: any time.

        Where nobody set `boot_timeout`, a longer `timeout` is respected: it used to bound the start as well.
        """
        cfg = self.cfg
        if not cfg.settings["boot_timeout"].is_default:
            return float(cfg.boot_timeout)
        return max(float(cfg.boot_timeout), float(cfg.timeout)) if cfg.timeout else 0.0
