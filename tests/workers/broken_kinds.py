"""Worker kinds that each break one promise, for the suite to find."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

from indrik.workers.sync import SyncWorker


class LeavesInHaste(SyncWorker):
    """Closes its listeners with clients in the kernel's queue."""

    def _drain(self) -> None:
        self.begin_to_leave()
        self.stop_listening()


class SleepsTooLong(SyncWorker):
    """Gives no sign of life any more, once it has served somebody."""

    def look_after(self) -> None:
        super().look_after()
        if self.engine.served:
            time.sleep(60)


class IgnoresQuit(SyncWorker):
    """Takes QUIT for TERM."""

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self.handle_exit(signal.SIGTERM, frame)


class ForgetsHooks(SyncWorker):
    """Calls no hook behind a request."""

    def _after_hook(self) -> Any:
        return None


class Wrapping(SyncWorker):
    """Serves the application through `wrap`."""

    @staticmethod
    def wrap(application: Callable[..., Any], environ: dict[str, Any], start_response: Any) -> Any:
        return application(environ, start_response)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application = self.wsgi
        self.wsgi = lambda environ, start_response: self.wrap(application, environ, start_response)


class ClosesTwice(Wrapping):
    """Calls close() at the end of the iteration too."""

    @staticmethod
    def wrap(application: Callable[..., Any], environ: dict[str, Any], start_response: Any) -> Any:
        result = application(environ, start_response)
        if not hasattr(result, "close"):
            return result

        class Twice:
            def __iter__(self) -> Any:
                yield from result
                result.close()

            def close(self) -> None:
                result.close()

        return Twice()


class TellsWhy(Wrapping):
    """Sends the traceback to the client."""

    @staticmethod
    def wrap(application: Callable[..., Any], environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return application(environ, start_response)
        except Exception:
            text = traceback.format_exc().encode()
            start_response("500 Oops", [("Content-Length", str(len(text)))])
            return [text]


class CollectsStreams(Wrapping):
    """Sends nothing before the application has given everything."""

    @staticmethod
    def wrap(application: Callable[..., Any], environ: dict[str, Any], start_response: Any) -> Any:
        return [b"".join(application(environ, start_response))]


class ReusesAContext(Wrapping):
    """Runs every request in the same contextvars.Context."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        import contextvars

        wrapped = self.wsgi
        context = contextvars.copy_context()
        self.wsgi = lambda *arguments: context.run(wrapped, *arguments)
