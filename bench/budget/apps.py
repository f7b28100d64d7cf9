"""The WSGI application whose requests are counted."""

from __future__ import annotations

from bench.apps import hello
from bench.budget import marks

__all__ = ["hello"]

marks.start()
