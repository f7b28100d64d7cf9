"""Which handlers each of the two loggers gets from the settings: files, standard streams, syslog."""

from __future__ import annotations

import logging
import sys
from typing import Any

from indrik.errors import ConfigError
from indrik.log.handlers import Console, LogFile, OwnHandler, open_log_file
from indrik.log.syslog import Syslog, parse_facility, parse_syslog_address


class Outputs:
    """Opens what `cfg` asks for, with the line formats of one Logger class.

    Every handler that was opened is put into `opened` at once, so that the caller can close them when a later
    one fails. Raises ConfigError."""

    def __init__(
        self,
        cfg: Any,
        error_fmt: str,
        datefmt: str,
        access_fmt: str,
        syslog_fmt: str,
        opened: list[OwnHandler],
    ) -> None:
        self._cfg = cfg
        self._error_formatter = logging.Formatter(error_fmt, datefmt)
        self._access_formatter = logging.Formatter(access_fmt)
        self._syslog_fmt = syslog_fmt
        self._opened = opened

    def error_outputs(self) -> list[OwnHandler]:
        cfg = self._cfg
        handlers: list[OwnHandler] = []
        if cfg.errorlog is not None:
            handlers.append(self._output("errorlog", cfg.errorlog, sys.stderr, self._error_formatter))
        if cfg.syslog:
            handlers.append(self._syslog("error"))
        return handlers

    def access_outputs(self) -> list[OwnHandler]:
        cfg = self._cfg
        handlers: list[OwnHandler] = []
        if cfg.accesslog:
            handlers.append(self._output("accesslog", cfg.accesslog, sys.stdout, self._access_formatter))
        if cfg.syslog and not cfg.disable_redirect_access_to_syslog:
            handlers.append(self._syslog("access"))
        return handlers

    def _output(self, setting: str, target: str, stream: Any, formatter: logging.Formatter) -> OwnHandler:
        handler: Console | LogFile
        if target == "-":
            handler = Console(stream or sys.stderr)
        else:
            handler = open_log_file(setting, target)
            self._opened.append(handler)
            handler.give_to_workers(self._cfg)
        return self._ready(handler, formatter)

    def _syslog(self, name: str) -> OwnHandler:
        cfg = self._cfg
        address = parse_syslog_address(cfg.syslog_addr)
        facility = parse_facility(cfg.syslog_facility)
        prefix = cfg.syslog_prefix or cfg.proc_name.replace(":", ".")
        try:
            handler = Syslog(address, facility)
        except OSError as error:
            raise ConfigError(
                f"syslog_addr: cannot connect to {address}: {error.strerror or error}"
            ) from None
        return self._ready(handler, logging.Formatter(f"indrik.{prefix}.{name}: {self._syslog_fmt}"))

    def _ready(self, handler: OwnHandler, formatter: logging.Formatter) -> OwnHandler:
        handler.setFormatter(formatter)
        if handler not in self._opened:
            self._opened.append(handler)
        return handler
