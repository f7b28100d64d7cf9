"""Rows: limits for single routes of the application."""

from __future__ import annotations

from indrik.config.routes import Routes
from indrik.config.setting import Setting

SECTION = "Routes"

ROWS = (
    Setting(
        name="routes",
        section=SECTION,
        kind=Routes(),
        default={},
        own=True,
        help="Limits for single routes, as in `routes = {\"/report/<int:id>\": {\"concurrency\": 2, "
        "\"timeout\": 120}, \"auth.login\": {\"rate\": \"5/minute\"}}`. A key is the rule or the endpoint of "
        "a Flask application, and the rule goes first; of another WSGI application it is a rule in "
        "Werkzeug's syntax, for every method. A key that a Flask application does not know is an error. "
        "`concurrency`: requests in progress over all workers of this server; more wait, for `queue_timeout` "
        "seconds, and are then answered with 503. `rate`: how many may begin in any stretch of a time, over "
        "all workers, in the notation of the package `limits` (`pip install 'indrik[routes]'`): `20/minute`, "
        "`5 per 2 hours`, `1/second;20/minute`; more are answered with 429 at once. Both answers have "
        "`Retry-After`. `timeout`: what `request_timeout` is, for this route. The route is found before the "
        "application is called, in the request as the server sees it, without what a middleware changes. "
        "Workers of the kind `asgi` refuse the setting.",
    ),
)
