from __future__ import annotations

import base64
import os
from datetime import timedelta
from typing import Any

import pytest

from indrik.log.atoms import ATOMS, FAMILIES, all_atoms, find_atom, user_of
from indrik.log.safe_atoms import SafeAtoms
from tests.unit.log.support import TOOK, Request, Response, environ


class Clock:
    def now(self) -> str:
        return "[now]"


def read(key: str, resp: Any = None, req: Any = None, env: Any = None, took: timedelta = TOOK) -> Any:
    atom = find_atom(key)
    assert atom is not None
    return atom.read(Clock(), resp or Response(), req or Request(), env or environ(), took)


def basic(user: bytes) -> str:
    return "Basic " + base64.b64encode(user + b":secret").decode()


EXPECTED = {
    "h": "127.0.0.1",
    "l": "-",
    "u": "-",
    "t": "[now]",
    "r": "GET /notes?page=2 HTTP/1.1",
    "m": "GET",
    "U": "/notes",
    "q": "page=2",
    "H": "HTTP/1.1",
    "s": "200",
    "B": 13,
    "b": "13",
    "f": "-",
    "a": "curl/8.5.0",
    "T": 0,
    "M": 12,
    "D": 12034,
    "L": "0.012034",
    "p": f"<{os.getpid()}>",
}


def test_there_is_every_atom_that_gunicorn_has() -> None:
    assert set(ATOMS) == set(EXPECTED)
    assert set(FAMILIES) == {"i", "o", "e", "x"}


def test_how_long_a_request_waited() -> None:
    class Waited(Response):
        queued = 1.25

    assert read("{queue}x", Waited()) == "1.250000"
    # A response of somebody else's, that does not say.
    assert read("{queue}x") == "0.000000"
    assert find_atom("{queues}x") is None
    assert all_atoms(Clock(), Waited(), Request(), environ(), TOOK)["{queue}x"] == "1.250000"


def test_route() -> None:
    assert read("{route}x") == "-"
    assert read("{route}x", env={**environ(), "indrik.route": "/notes/<int:id>"}) == "/notes/<int:id>"


@pytest.mark.parametrize(("key", "expected"), EXPECTED.items(), ids=EXPECTED)
def test_value(key: str, expected: Any) -> None:
    assert read(key) == expected


@pytest.mark.parametrize(
    ("key", "expected"), [("T", 90061), ("M", 90061001), ("D", 90061001002), ("L", "90061.001002")]
)
def test_times_count_days(key: str, expected: Any) -> None:
    took = timedelta(days=1, hours=1, minutes=1, seconds=1, microseconds=1002)
    assert read(key, took=took) == expected


def test_missing_parts_of_a_refused_request_read_as_dashes() -> None:
    empty = {"REMOTE_ADDR": ""}
    assert read("r", env=empty) == "- - -"
    assert [read(key, env=empty) for key in "hmUH"] == ["-"] * 4


def test_a_response_that_does_not_count_has_a_dash_for_its_length() -> None:
    class Uncounted:
        status = "200 OK"

    assert read("b", resp=Uncounted()) == "-"
    assert read("B", resp=Uncounted()) == 0


@pytest.mark.parametrize(
    ("authorization", "user"),
    [
        (basic(b"ada"), "ada"),
        (basic(b"ada").replace("Basic", "bASIC"), "ada"),
        (basic(b"a b"), "a b"),
        (basic("zo\u00eb".encode()), "zo\u00eb"),
        (basic(b"\xff"), "\udcff"),
        (basic(b""), "-"),
        ("Basic !!!", "-"),
        ("Basic YWRh\xe9", "-"),
        ("Basic", "-"),
        ("Bearer abc", "-"),
    ],
)
def test_user(authorization: str, user: str) -> None:
    assert user_of({"HTTP_AUTHORIZATION": authorization}) == user
    assert read("u", env=environ(HTTP_AUTHORIZATION=authorization)) == user


def test_headers_are_found_in_any_case_and_repeats_are_joined() -> None:
    request = Request([("X-FORWARDED-FOR", "1.1.1.1"), ("HOST", "a"), ("X-FORWARDED-FOR", "2.2.2.2")])
    response = Response(headers=[("Set-Cookie", "a=1"), ("set-cookie", "b=2")])
    assert read("{X-Forwarded-For}i", req=request) == "1.1.1.1, 2.2.2.2"
    assert read("{x-forwarded-for}i", req=request) == "1.1.1.1, 2.2.2.2"
    assert read("{Set-Cookie}o", resp=response) == "a=1, b=2"
    assert read("{absent}i") == "-"
    assert read("{absent}o") == "-"


@pytest.mark.parametrize("key", ["{wsgi.url_scheme}e", "{WSGI.URL_SCHEME}e", "{Wsgi.Url_Scheme}e"])
def test_environ_variables_are_found_in_any_case(key: str) -> None:
    assert read(key) == "http"
    assert read("{Mixed.Case}e", env={"mIXED.cASE": 1}) == 1
    assert read("{absent}e") == "-"


@pytest.mark.parametrize("key", ["", "x", "{}i", "{a}x", "{a", "a}i", "hh"])
def test_what_is_no_atom(key: str) -> None:
    assert find_atom(key) is None


def test_all_atoms_hold_what_each_row_reads() -> None:
    request = Request([("ACCEPT", "a/b"), ("ACCEPT", "c/d")])
    atoms = all_atoms(Clock(), Response(), request, environ(), TOOK)
    assert {key: atoms[key] for key in EXPECTED} == EXPECTED
    assert atoms["{accept}i"] == "a/b, c/d"
    assert atoms["{content-type}o"] == "text/plain"
    assert atoms["{wsgi.url_scheme}e"] == "http"


def test_safe_atoms() -> None:
    atoms = SafeAtoms({"a": 'x"\n', "u": 'a b"', "D": 5, "{host}i": "a\\b"})
    assert atoms["a"] == r"x\x22\x0a"
    assert atoms["u"] == r"a\x20b\x22"
    assert atoms["D"] == 5
    assert atoms["{HOST}i"] == r"a\x5cb"
    assert atoms["{other}i"] == "-"
    assert atoms["z"] == "-"
