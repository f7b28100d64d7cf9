"""The short way of an access line: from a finished request into the one output that gets it.

Nearly every server has one access log and nothing else that looks at its records. Then none is made: a record
costs as much as the rest of the line.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cython
else:
    from indrik import uncompiled as cython

from indrik.log.access_format import Line
from indrik.log.atoms import Environ
from indrik.log.handlers import OwnHandler

_INFO = logging.INFO


class AccessWriter:
    """Writes lines that `line` makes to `output`, which `log` had as its only handler when this was made."""

    def __init__(self, log: logging.Logger, line: Line, output: OwnHandler) -> None:
        self._log = log
        self._manager = log.manager
        self._line = line
        self._output = output
        self._formatter = output.formatter

    def write(self, logger: Any, resp: Any, req: Any, environ: Environ, took: timedelta) -> cython.bint:
        """Writes the line of a finished request; False, and nothing written, if somebody could see more of a
        record than its text, or keep it from being written.

        `logger` is what the atoms are read with. Raises what reading them raises.
        """
        if not self._is_alone():
            return False
        self._output.write_line(self._line(logger, resp, req, environ, took))
        return True

    def _is_alone(self) -> cython.bint:
        """Asked each time: the application may change its loggers whenever it likes."""
        log: Any = self._log
        output: Any = self._output
        handlers: list = log.handlers
        return bool(
            len(handlers) == 1
            and handlers[0] is output
            and not log.propagate
            and not log.disabled
            and log.level == _INFO
            and self._manager.disable < _INFO
            and not log.filters
            and not output.filters
            and output.formatter is self._formatter
            and output.level <= _INFO
        )
