"""Error log and access log: `Logger` and what a subclass of it or the engine needs."""

from __future__ import annotations

from .atoms import SafeAtoms
from .logconfig import CONFIG_DEFAULTS
from .logger import Logger
from .refusals import RefusalLog

__all__ = ["CONFIG_DEFAULTS", "Logger", "RefusalLog", "SafeAtoms"]
