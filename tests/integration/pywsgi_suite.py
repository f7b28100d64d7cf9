"""Runs gevent's own tests of its WSGI server on `indrik.gevent.WSGIServer`, in a process of its own because
they patch the standard library. Prints how many ran, and a line for each that did not pass.

    python pywsgi_suite.py [TEST ...]
"""

from __future__ import annotations

# Before anything else, as in those tests.
from gevent import monkey

monkey.patch_all()

import datetime  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
import unittest  # noqa: E402
from typing import Any  # noqa: E402

import gevent.tests.test__pywsgi as suite  # noqa: E402
from gevent import pywsgi  # noqa: E402

from indrik.gevent import HubLog, WSGIServer  # noqa: E402


class AccessLog(HubLog):
    """The access log as those tests read it."""

    access_enabled = True

    def __init__(self, log: Any) -> None:
        super().__init__(logging.getLogger("indrik.error"))
        self._log = log

    def access(self, resp: Any, req: Any, environ: Any, request_time: datetime.timedelta) -> None:
        major, minor = req.version
        self._log.write(f'"{req.method} {req.uri} HTTP/{major}.{minor}" {resp.status_code} {resp.sent}\n')


class Server(WSGIServer):
    """The server with those arguments of pywsgi's that the tests give it. `handler_class` is pywsgi's own
    parser, for which there is no counterpart."""

    def __init__(self, listener: Any, application: Any, log: Any, error_log: Any, handler_class: Any) -> None:
        self.log = pywsgi.LoggingLogAdapter(log, 20)
        super().__init__(
            listener, application, settings={"permit_obsolete_folding": True}, log=AccessLog(self.log)
        )

    def stop(self, timeout: float | None = 0.3) -> None:
        super().stop(timeout)


def main() -> None:
    """Run them."""
    logging.getLogger("indrik.error").setLevel(logging.CRITICAL)
    pywsgi.WSGIServer = Server
    result = unittest.main(module=suite, argv=sys.argv, exit=False).result
    print("ran", result.testsRun)
    for test in {case.id().partition("test__pywsgi.")[2] for case, _ in result.failures + result.errors}:
        print("failed", test)


if __name__ == "__main__":
    main()
