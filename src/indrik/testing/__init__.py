"""The conformance suite: what every worker kind promises, checked over real sockets and signals.

    from indrik.testing import check_worker

    def test_my_kind():
        check_worker("mypackage.workers.MyWorker").raise_if_broken()

or, on the command line, `python -m indrik.testing -k mypackage.workers.MyWorker`.

Tests call it, and nothing of the server does. Start reading in `suite`, which runs the checks over one kind,
and in `promises`, what a check is; the checks themselves are in `checks`. `server` and `client` are the real
command and a client of it, `wsgi` and `asgi` the application that it serves, which leaves its `notes` in a
file.
"""

from __future__ import annotations

from indrik.testing.report import BROKEN, KEPT, NOT_PROMISED, Outcome, Report
from indrik.testing.suite import check_names, check_worker, sharing_names

__all__ = [
    "check_worker", "check_names", "sharing_names", "Report", "Outcome", "KEPT", "BROKEN", "NOT_PROMISED",
]  # fmt: skip
