from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.config import Config
from indrik.errors import ConfigError
from indrik.log.access_format import AccessFormat
from indrik.log.escape import escape
from tests.unit.log.support import TOOK, Request, Response, environ
from tests.unit.log.test_atoms import Clock, basic

DEFAULT: str = Config().access_log_format


def line(text: str, env: Any = None, resp: Any = None, req: Any = None) -> str:
    return AccessFormat(text).line(Clock(), resp or Response(), req or Request(), env or environ(), TOOK)


def test_the_default_format() -> None:
    expected = '127.0.0.1 - - [now] "GET /notes?page=2 HTTP/1.1" 200 13 "-" "curl/8.5.0"'
    assert line(DEFAULT) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no atom, 100%%", "no atom, 100%"),
        ("%(s)s%(s)s", "200200"),
        ("%(D)d %(D)08d %(D)x %(L).3s", "12034 00012034 2f02 0.0"),
        ("%(T)s %(M)i %(B)5d|", "0 12    13|"),
        ("%(m)-6s|%(m)6s|%(m).2s", "GET   |   GET|GE"),
        ("%({host}i)s %({content-type}o)s %({wsgi.url_scheme}e)s", "example.org text/plain http"),
        ("%(z)s %({none}i)s", "- -"),
        ("%(m)r %(m)a", "'GET' 'GET'"),
        ("tab\t%(m)s", "tab\tGET"),
        ("\u2192 %(m)s", "\u2192 GET"),
        ('back\\slash "%(m)s"', 'back\\slash "GET"'),
    ],
)
def test_format(text: str, expected: str) -> None:
    assert line(text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("%(h", "column 1: '%(h' is no placeholder"),
        ("a %s", "column 3: '%s' is no placeholder"),
        ("100%", "column 4"),
        ("%(h)", "column 1: '%(h)' is no placeholder"),
        ("%(h)*s", "is no placeholder"),
        ("%(h)y", "unsupported format character"),
        ("%(h)d", "this atom is text, written %(h)s"),
        ("%({host}i)d", "this atom is text"),
        ("%(m)c", "this atom is text"),
        ("%(D)c", "this atom is a number"),
    ],
)
def test_a_wrong_format_is_refused_with_its_place(text: str, part: str) -> None:
    with pytest.raises(ConfigError, match="access_log_format: column") as caught:
        AccessFormat(text)
    assert part in str(caught.value)


def test_keys_that_are_no_atom_are_listed() -> None:
    assert AccessFormat("%(h)s %(time)s %({x}y)s").unknown == ["time", "{x}y"]


def test_only_the_atoms_of_the_format_are_read() -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"read {name}")

    compiled = AccessFormat("%(m)s %(D)s")
    untouchable = Untouchable()
    assert compiled.line(untouchable, untouchable, untouchable, environ(), TOOK) == "GET 12034"


HOSTILE = [
    ('HTTP_USER_AGENT="', '" 200 1 "-" "x', r"\x22 200 1 \x22-\x22 \x22x"),
    ("a line of its own", "x\n1.2.3.4 - - [now]", r"x\x0a1.2.3.4 - - [now]"),
    ("an escape of a terminal", "\x1b[2J", r"\x1b[2J"),
    ("a backslash that eats the quote", "x\\", r"x\x5c"),
    ("bytes", "\xc3\xa9", r"\xc3\xa9"),
]


@pytest.mark.parametrize(("what", "agent", "written"), HOSTILE)
@pytest.mark.parametrize(
    "form", ['"%(a)s"', 'tab\t"%(a)s"', '"%({user-agent}i)s"', '"%({HTTP_USER_AGENT}e)s"']
)
def test_a_value_stays_in_its_quotes(what: str, agent: str, written: str, form: str) -> None:
    made = line(form, environ(HTTP_USER_AGENT=agent), req=Request([("USER-AGENT", agent)]))
    assert made.removeprefix("tab\t") == f'"{written}"'


def test_a_user_name_cannot_add_columns() -> None:
    forged = line(DEFAULT, environ(HTTP_AUTHORIZATION=basic(b"x [now] y")))
    assert forged.split()[2] == r"x\x20[now]\x20y"


def test_a_value_that_is_no_string_is_escaped_too() -> None:
    class Odd:
        def __str__(self) -> str:
            return 'odd"\n'

    assert line('"%({x.odd}e)s"', environ(**{"x.odd": Odd()})) == r'"odd\x22\x0a"'


def test_no_place_in_a_value_is_overlooked() -> None:
    # Compiled, eight octets are looked at together.
    for length in (1, 7, 8, 9, 16, 19):
        for at in range(length):
            for code in (*range(256), 0x100, 0x2028):
                agent = "a" * at + chr(code) + "b" * (length - at - 1)
                assert line('"%(a)s"', environ(HTTP_USER_AGENT=agent)) == f'"{escape(agent)}"'


@pytest.mark.parametrize("written", ["200 OK", "200", "200 ", "503 A reason with words"])
def test_the_code_of_a_status(written: str) -> None:
    class Marked(str):
        __slots__ = ()

    assert line("%(s)s", resp=Response(written)) == written[:3]
    assert line("%(s)s", resp=Response(Marked(written))) == written[:3]


TEXT = st.text(st.characters(max_codepoint=0x17F), max_size=20)


@given(agent=TEXT, referer=TEXT, path=TEXT, user=st.binary(max_size=12))
def test_no_request_can_forge_a_line(agent: str, referer: str, path: str, user: bytes) -> None:
    env = environ(HTTP_USER_AGENT=agent, HTTP_REFERER=referer, RAW_URI=path, HTTP_AUTHORIZATION=basic(user))
    quoted = r'"[^"\\]*(?:\\x[0-9a-f]{2}[^"\\]*)*"'
    made = line(DEFAULT, env)
    assert re.fullmatch(rf"127\.0\.0\.1 - [!-~]+ \[now\] {quoted} 200 13 {quoted} {quoted}", made), made
    assert made.isascii()
    assert made.isprintable()
