from __future__ import annotations

from typing import Any

from indrik.log.refusals import LINES_PER_SECOND, MOST_KINDS, RefusalLog


class Lines:
    def __init__(self) -> None:
        self.all: list[str] = []

    def warning(self, msg: Any, *args: Any) -> None:
        self.all.append(msg % args)


class Bench:
    """A refusal log on a clock that the test moves."""

    def __init__(self, lines_per_second: int = LINES_PER_SECOND) -> None:
        self.now = 100.0
        self.lines = Lines()
        self.log = RefusalLog(self.lines, lines_per_second, lambda: self.now)

    def is_pending(self) -> bool:
        return self.log.has_suppressed

    def take(self) -> list[str]:
        taken, self.lines.all = self.lines.all, []
        return taken


def test_a_line_names_the_peer_the_reason_and_the_kind() -> None:
    bench = Bench()
    bench.log.refused("bad_head", ("127.0.0.1", 4711), "no colon")
    bench.log.refused("bad_head", "/run/x.sock", "no colon")
    bench.log.refused("bad_head", "", "no colon")
    assert bench.take() == [
        "Invalid request from ip=127.0.0.1: no colon (bad_head)",
        "Invalid request from ip=/run/x.sock: no colon (bad_head)",
        "Invalid request from ip=unix: no colon (bad_head)",
    ]


def test_what_the_client_sent_is_escaped() -> None:
    bench = Bench()
    bench.log.refused("k", ("::1", 1, 0, 0), 'x"\n[2026-01-01] [INFO] all is well')
    assert bench.take() == [r"Invalid request from ip=::1: x\x22\x0a[2026-01-01] [INFO] all is well (k)"]


def test_an_attack_writes_a_few_lines_a_second_and_a_summary() -> None:
    bench = Bench(lines_per_second=3)
    for _ in range(1000):
        bench.log.refused("k", "", "m")
    assert len(bench.take()) == 3
    assert bench.log.has_suppressed
    bench.now += 1
    bench.log.refused("k", "", "m")
    assert bench.take() == [
        "Invalid requests not logged: 997 more (k)",
        "Invalid request from ip=unix: m (k)",
    ]


def test_kinds_are_counted_apart() -> None:
    bench = Bench(lines_per_second=1)
    for kind in ("a", "b", "a", "b"):
        bench.log.refused(kind, "", kind)
    assert [line[-3:] for line in bench.take()] == ["(a)", "(b)"]


def test_flush_writes_only_seconds_that_are_over() -> None:
    bench = Bench(lines_per_second=1)
    for _ in range(3):
        bench.log.refused("k", "", "m")
    bench.take()
    bench.log.flush()
    assert bench.take() == []
    assert bench.is_pending()
    bench.now += 1
    bench.log.flush()
    assert bench.take() == ["Invalid requests not logged: 2 more (k)"]
    assert not bench.is_pending()
    bench.log.flush()
    assert bench.take() == []


def test_the_final_flush_writes_everything() -> None:
    bench = Bench(lines_per_second=0)
    bench.log.refused("k", "", "m")
    bench.log.flush(final=True)
    assert bench.take() == ["Invalid requests not logged: 1 more (k)"]


def test_kinds_made_from_input_cannot_fill_the_memory() -> None:
    bench = Bench(lines_per_second=1)
    for number in range(MOST_KINDS * 3):
        bench.log.refused(str(number), "", "m")
    assert len(bench.take()) == MOST_KINDS + 1
    bench.log.flush(final=True)
    assert bench.take() == [f"Invalid requests not logged: {MOST_KINDS * 2 - 1} more (other)"]
