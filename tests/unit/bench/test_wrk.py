"""What is given to wrk and what load generators say."""

from __future__ import annotations

import os

import pytest

from bench import cases, load, wrk

LINE = (
    '{"requests": 1000, "microseconds": 500000, "bytes": 130000, "bad_status": 2, "socket_errors": 1,'
    ' "p50": 40, "p99": 90, "p999": 95}'
)


def test_the_report_is_found_among_other_lines() -> None:
    one = load.parse_report(f"unable to create thread\n{LINE}\n")
    assert one.requests == 1000
    assert one.rate == 2000.0
    assert one.failures == 3
    assert (one.p50, one.p99, one.p999) == (40, 90, 95)


def test_no_report_is_an_error_that_says_what_wrk_said() -> None:
    with pytest.raises(load.LoadFailed, match="unable to connect"):
        load.parse_report("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_window_without_time_has_no_rate() -> None:
    assert load.Load(0, 0, 0, 0, 0, 0, 0, 0).rate == 0.0


def test_a_generator_that_fails_says_why() -> None:
    cpu = min(os.sched_getaffinity(0))
    with pytest.raises(load.LoadFailed, match="false ended with 1"):
        load.drive(["false"], cpu, 1)
    with pytest.raises(load.LoadFailed, match="reported nothing: 'no idea'"):
        load.drive(["sh", "-c", "echo no idea >&2"], cpu, 1)
    with pytest.raises(load.LoadFailed, match="sleep did not end within 0 s"):
        load.drive(["sleep", "10"], cpu, -29.9)


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
