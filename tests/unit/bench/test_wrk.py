"""What is given to wrk and what it says."""

from __future__ import annotations

import pytest

from bench import cases, wrk

LINE = (
    '{"requests": 1000, "microseconds": 500000, "bytes": 130000, "bad_status": 2, "socket_errors": 1,'
    ' "p50": 40, "p99": 90, "p999": 95}'
)


def test_the_report_is_found_among_other_lines() -> None:
    load = wrk.parse_report(f"unable to create thread\n{LINE}\n")
    assert load.requests == 1000
    assert load.rate == 2000.0
    assert load.failures == 3
    assert (load.p50, load.p99, load.p999) == (40, 90, 95)


def test_no_report_is_an_error_that_says_what_wrk_said() -> None:
    with pytest.raises(wrk.WrkFailed, match="unable to connect"):
        wrk.parse_report("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_window_without_time_has_no_rate() -> None:
    assert wrk.Load(0, 0, 0, 0, 0, 0, 0, 0).rate == 0.0


def test_lua_strings_are_quoted() -> None:
    assert wrk.quote('say "a\\b"') == r'"say \"a\\b\""'
    with pytest.raises(ValueError, match="printable"):
        wrk.quote("two\nlines")


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_the_script_holds_the_whole_request(case: cases.Case) -> None:
    text = wrk.script(case)
    assert f'wrk.method = "{case.method}"' in text
    for name, value in case.headers:
        assert f'wrk.headers["{name}"] = "{value}"' in text
    assert ("wrk.body" in text) == bool(case.body)
    assert "function done(" in text
    # Such a function would be called for every request and slow the load down.
    assert "function request(" not in text
