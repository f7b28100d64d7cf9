"""The configuration under which the rows about `Forwarded` are verified."""

from __future__ import annotations

forwarded = {"field": "Forwarded", "for": 1, "proto": 1, "host": 1}
