"""The ASGI application whose requests are counted."""

from __future__ import annotations

from bench.asgi_apps import hello
from bench.budget import marks

__all__ = ["hello"]

marks.start()
