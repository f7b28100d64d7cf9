"""`threading.local` under every kind: nobody sees the value of a request in progress beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.wire import connect
from tests.integration.wsgi_ways import Way, every_way, serve_way

REQUESTS = 200
AT_ONCE = 50


@every_way
def test_concurrent_requests(tmp_path: Path, way: Way) -> None:
    kind, _ = way
    with serve_way(way, "flask_locals:application", tmp_path) as server:

        def ask(number: int) -> dict[str, Any]:
            with connect(server.url) as wire:
                wire.send(f"GET /local?n={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                return json.loads(wire.answer().body)  # type: ignore[no-any-return]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(ask, range(REQUESTS)))
        # The value that a request has set is its own until its end, whoever runs meanwhile.
        assert [answer["after"] for answer in answers] == [str(number) for number in range(REQUESTS)]
        if kind == "gevent":
            # A local of a greenlet, and no greenlet that anything hangs on serves another request.
            assert {answer["before"] for answer in answers} == {None}
        else:
            # A local of a thread: what its request before has left, as CPython says.
            by_thread: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for answer in answers:
                by_thread[answer["thread"]].append(answer)
            for those in by_thread.values():
                left = [answer["after"] for answer in those]
                found = [answer["before"] for answer in those]
                assert found.count(None) == 1, "only the thread's first request finds nothing"
                # Each finds what exactly one other request of the same thread has left.
                assert len(set(found)) == len(found)
                assert set(found) - {None} <= set(left)
            assert len(by_thread) <= (5 if way[1] else 2)
        report = ask_report(server.url)
        assert report["leaks"] == []


def ask_report(url: str) -> dict[str, Any]:
    with connect(url) as wire:
        wire.send(b"GET /report HTTP/1.1\r\nHost: x\r\n\r\n")
        return json.loads(wire.answer().body)  # type: ignore[no-any-return]
