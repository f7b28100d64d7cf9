"""Error log and access log: `Logger` and what a subclass of it or the engine needs."""

from __future__ import annotations

from indrik.log.atoms import SafeAtoms
from indrik.log.logconfig import CONFIG_DEFAULTS
from indrik.log.logger import Logger
from indrik.log.refusals import RefusalLog

__all__ = ["CONFIG_DEFAULTS", "Logger", "RefusalLog", "SafeAtoms"]
