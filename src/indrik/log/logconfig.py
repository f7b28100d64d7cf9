"""The user's own logging configuration: `logconfig_dict`, else `logconfig_json`, else `logconfig` (an ini
file).

Loggers that such a configuration names get what it says; for the others the server's own settings stay in
force."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from indrik.errors import ConfigError
from indrik.log.handlers import OwnHandler, all_loggers
from indrik.log.names import ACCESS, ERROR

_FROM_LOGCONFIG = "_indrik_from_logconfig"

#: What a dictionary configuration starts from. Its top-level keys replace these, whole (as in Gunicorn).
CONFIG_DEFAULTS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        ERROR: {"level": "INFO", "handlers": ["error_console"], "propagate": True, "qualname": ERROR},
        ACCESS: {"level": "INFO", "handlers": ["console"], "propagate": True, "qualname": ACCESS},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stdout"},
        "error_console": {
            "class": "logging.StreamHandler",
            "formatter": "generic",
            "stream": "ext://sys.stderr",
        },
    },
    "formatters": {
        "generic": {
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
            "class": "logging.Formatter",
        }
    },
}


def _config() -> Any:
    # Late: it takes 7 ms of every start, and few have a configuration of their own.
    import logging.config

    return logging.config


def is_configured(cfg: Any) -> bool:
    """Whether the user gave a logging configuration of any of the three forms."""
    return bool(cfg.logconfig_dict or cfg.logconfig_json or cfg.logconfig)


def apply_logconfig(cfg: Any, loggers: Iterable[logging.Logger]) -> set[logging.Logger]:
    """Load the configuration, if there is one. Returns those of `loggers` that it names.

    Raises ConfigError; `restored_on_error` undoes half of a configuration.
    """
    # A configuration replaces the handlers of the loggers that it names: whether the mark is gone tells.
    marks = {log: logging.NullHandler() for log in loggers}
    for log, mark in marks.items():
        log.addHandler(mark)
    _load(cfg)
    named = {log for log, mark in marks.items() if mark not in log.handlers}
    for log, mark in marks.items():
        log.removeHandler(mark)
        mark.close()
    for log in named:
        for handler in log.handlers:
            setattr(handler, _FROM_LOGCONFIG, True)
    return named


def drop_old_handlers(log: logging.Logger) -> None:
    """Take from `log` the outputs that earlier settings gave it. What code has attached stays."""
    for handler in log.handlers[:]:
        if isinstance(handler, OwnHandler) or hasattr(handler, _FROM_LOGCONFIG):
            log.removeHandler(handler)
            if not any(handler in other.handlers for other in all_loggers()):
                handler.close()


def _load(cfg: Any) -> None:
    if cfg.logconfig_dict:
        _apply_dict("logconfig_dict", cfg.logconfig_dict)
    elif cfg.logconfig_json:
        _apply_dict(f"logconfig_json: {cfg.logconfig_json}", _read_json(cfg.logconfig_json))
    elif cfg.logconfig:
        _apply_ini(cfg.logconfig)


@contextmanager
def restored_on_error() -> Iterator[None]:
    """Give every logger back what it had when the body raises: a reload that fails must go on logging as
    before."""
    saved = [
        (logger, logger.handlers[:], logger.filters[:], logger.level, logger.propagate, logger.disabled)
        for logger in all_loggers()
    ]
    try:
        yield
    except BaseException:
        for logger, handlers, filters, level, propagate, disabled in saved:
            logger.handlers[:] = handlers
            logger.filters[:] = filters
            logger.setLevel(level)
            logger.propagate = propagate
            logger.disabled = disabled
        raise


def _read_json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            import json

            value = json.load(file)
    except OSError as error:
        raise ConfigError(f"logconfig_json: cannot read {path!r}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"logconfig_json: {path}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"logconfig_json: {path}: the top of the file must be an object")
    return value


def _apply_dict(where: str, config: dict[str, Any]) -> None:
    try:
        _config().dictConfig({**CONFIG_DEFAULTS, **config})
    except (ValueError, TypeError, AttributeError, ImportError, KeyError) as error:
        raise ConfigError(f"{where}: {_causes(error)}") from error


def _apply_ini(path: str) -> None:
    if not os.path.exists(path):
        raise ConfigError(f"logconfig: {path!r} does not exist")
    full_path = os.path.abspath(path)
    defaults = {"here": os.path.dirname(full_path), "__file__": full_path}
    try:
        _config().fileConfig(path, defaults=defaults, disable_existing_loggers=False)
    except Exception as error:  # Python evaluates the file's classes and arguments: anything can come
        raise ConfigError(f"logconfig: {path}: {_causes(error)}") from error


def _causes(error: BaseException) -> str:
    """The message of `error` and of what caused it: logging's own message alone names the place, not the
    reason."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        text = f"no key {cause}" if isinstance(cause, KeyError) else str(cause) or type(cause).__name__
        if text not in parts:
            parts.append(text)
        cause = cause.__cause__ or cause.__context__
    return ": ".join(parts)
