"""A small server for the tests of the benchmarks: python peer.py MODULE:VAR HOST PORT [shut|single].

It has a thread for each request, or a single one.
"""

from __future__ import annotations

import importlib
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    target, host, port = sys.argv[1:4]
    if sys.argv[4:] == ["shut"]:
        sys.exit("this peer never listens")
    module, _, variable = target.partition(":")
    app = getattr(importlib.import_module(module), variable)
    kind = WSGIServer if sys.argv[4:] == ["single"] else Threaded
    with make_server(host, int(port), app, kind, Silent) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
