"""The arbiter: the master process that starts, watches, renews and stops the workers. It never touches a
client's bytes.
"""

from __future__ import annotations

from indrik.arbiter.arbiter import Arbiter

__all__ = ["Arbiter"]
