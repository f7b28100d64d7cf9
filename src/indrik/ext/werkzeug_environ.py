"""Worker kinds whose environ is as Werkzeug's own server makes it."""

from __future__ import annotations

from typing import Any

from indrik.engine.exchange import Exchange
from indrik.gateway.environ import EnvironBuilder, EnvironSettings
from indrik.workers.gthread import ThreadWorker
from indrik.workers.serving import ServingWorker
from indrik.workers.sync import SyncWorker


class WerkzeugEnvironBuilder(EnvironBuilder):
    """Several slashes at the begin of a path are one, and a chunked body shows itself by its coding."""

    def build(self, exchange: Exchange) -> dict[Any, Any]:
        environ = super().build(exchange)
        path = environ["PATH_INFO"]
        if path.startswith("//"):
            # Put behind a host it would be read as another host.
            environ["PATH_INFO"] = "/" + path.lstrip("/")
        if exchange.request.is_chunked:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            environ.pop("CONTENT_LENGTH", None)
        return environ


class _WerkzeugEnvirons(ServingWorker):
    def environ_builder(self, settings: EnvironSettings) -> EnvironBuilder:
        return WerkzeugEnvironBuilder(settings)


class SingleWorker(_WerkzeugEnvirons, SyncWorker):
    """The sync kind."""


class ThreadedWorker(_WerkzeugEnvirons, ThreadWorker):
    """The gthread kind."""
