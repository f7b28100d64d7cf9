"""wsgi.errors: what the application writes goes to the outputs of the error log, as it is."""

from __future__ import annotations

import io
import logging
from typing import Any


class ErrorsStream(io.TextIOBase):
    """A text stream on every stream that the error log writes to (PEP 3333, "Input and Error Streams").

    Handlers without a stream (syslog) get one record a write.

    In this package, which is never compiled: it holds the lock of a handler, and what the end of a request's
    time raises keeps away from code of the log by its frames (`engine.interruption`).
    """

    def __init__(self, log: Any) -> None:
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for handler in self._log.error_log.handlers:
            stream = getattr(handler, "stream", None)
            handler.acquire()
            try:
                if stream is not None:
                    stream.write(text)
                    stream.flush()
                elif text.strip():
                    handler.handle(
                        logging.LogRecord("indrik.error", logging.ERROR, "", 0, text.rstrip("\n"), None, None)
                    )
            finally:
                handler.release()
        return len(text)
