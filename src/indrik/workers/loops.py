"""The event loops of the asgi kind, by the names of the setting `asgi_loop`."""

from __future__ import annotations

import asyncio
import importlib.util

from indrik.errors import ConfigError


def check_loop(name: str) -> None:
    """Raises `ConfigError` if the loop is not installed."""
    if name == "uvloop" and importlib.util.find_spec("uvloop") is None:
        raise ConfigError("asgi_loop = uvloop needs the package uvloop: pip install 'indrik[uvloop]'")


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """A new loop; `auto` takes uvloop where it is installed."""
    if name == "asyncio" or (name == "auto" and importlib.util.find_spec("uvloop") is None):
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
