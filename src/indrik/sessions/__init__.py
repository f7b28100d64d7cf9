"""Stores of users' sessions: texts by key, kept on the server. They know no framework and no request.

`ext` calls them for Flask's sessions (`session_interface`), and users make one by its name in `indrik.flask`.
Start reading in `store`, which is what a store promises; `sqlite` is the one that needs nothing but a file.
"""

from __future__ import annotations
