"""Stores of users' sessions: texts by key, kept on the server. They know no framework and no request.

`store` is what a store promises, `sqlite` the one that needs nothing but a file.
"""

from __future__ import annotations
