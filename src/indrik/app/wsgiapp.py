"""The `indrik` command, and `WSGIApplication`, which it runs.

Importing this is cheap, and `run` keeps signals before it imports the rest: that takes longer than anything
else in a start, and a signal meant for the master may be under way already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from indrik import kept_signals

if TYPE_CHECKING:
    from indrik.app.wsgi_application import WSGIApplication as WSGIApplication


def run(prog: str | None = None) -> None:
    """Entry point of the `indrik` command."""
    kept_signals.keep()
    from indrik.app.wsgi_application import WSGIApplication

    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog).run()


def __getattr__(name: str) -> Any:
    if name == "WSGIApplication":
        from indrik.app.wsgi_application import WSGIApplication

        return WSGIApplication
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    run(prog="indrik")
