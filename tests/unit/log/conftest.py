"""Every test of the logs starts and ends without the server's loggers, and with the root logger as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from indrik.log.capture import CAPTURE
from indrik.log.names import ACCESS, ERROR, GUNICORN_NAMES, PARENT


def forget_loggers() -> None:
    registry = logging.Logger.manager.loggerDict
    for name in (*GUNICORN_NAMES, ERROR, ACCESS, PARENT):
        logger = registry.pop(name, None)
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers[:]:
                logger.removeHandler(handler)
                handler.close()


@pytest.fixture(autouse=True)
def clean_loggers() -> Iterator[None]:
    forget_loggers()
    root = logging.root
    saved = (root.handlers[:], root.filters[:], root.level)
    yield
    CAPTURE.stop()
    forget_loggers()
    for handler in root.handlers:
        if handler not in saved[0]:
            handler.close()
    root.handlers[:], root.filters[:] = saved[0], saved[1]
    root.setLevel(saved[2])
