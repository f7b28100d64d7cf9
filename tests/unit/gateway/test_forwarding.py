"""The setting `forwarded` leaves the environ as Werkzeug's ProxyFix does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.middleware.proxy_fix import ProxyFix

from indrik.gateway.forwarding import ORIGINALS, Forwarding

PARTS = ("for", "proto", "host", "port", "prefix")
MEMBERS = st.sampled_from(
    [
        "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:81", "unknown", "https", "http",
        "a.example", "a.example:8080", "a.example:", ":80", "443", "/prefix", "/a/b/", "", " ", '"quoted"',
        '"a, b"', '"a\\"b"', 'a="b"', '"open', "\\",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.lists(MEMBERS, max_size=5).map(", ".join),
    st.lists(MEMBERS, max_size=5).map(",".join),
    st.text('a1:,"\\ \t[]/', max_size=20),
)
FIELDS = st.dictionaries(
    st.sampled_from([f"HTTP_X_FORWARDED_{part.upper()}" for part in PARTS]), VALUES, max_size=5
)
HOSTS = st.sampled_from([None, "", "inner", "inner:8000", "[::1]", "[::1]:8000"])
RULES = st.dictionaries(st.sampled_from(PARTS), st.integers(0, 4), max_size=5)


def environ_of(fields: dict[str, str], host: str | None, script_name: str) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SCRIPT_NAME": script_name,
        "PATH_INFO": "/path",
        "wsgi.url_scheme": "http",
        **fields,
    }
    if host is not None:
        environ["HTTP_HOST"] = host
    return environ


def fixed(environ: dict[str, Any], rules: dict[str, int]) -> dict[str, Any]:
    """The environ that an application behind ProxyFix sees."""
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        return []

    counts = {f"x_{part}": rules.get(part, 0) for part in PARTS}
    ProxyFix(application, **counts)(dict(environ), lambda status, headers, exc_info=None: lambda data: None)
    return seen[0]


@settings(max_examples=500)
@given(FIELDS, HOSTS, st.sampled_from(["", "/app"]), RULES)
def test_same_environ_as_proxy_fix(
    fields: dict[str, str], host: str | None, script_name: str, rules: dict[str, int]
) -> None:
    environ = environ_of(fields, host, script_name)
    expected = fixed(environ, rules)
    Forwarding(rules).apply(environ)
    assert environ == expected
    # An application that has ProxyFix of its own sees what two of them would have made: nothing more, but for
    # what it takes for the originals, and for ports that are none (":" and "]" grow with every ProxyFix).
    again = fixed(environ, rules)
    assert again == fixed(expected, rules)
    ports = fields.get("HTTP_X_FORWARDED_PORT", "0").split(",")
    if all(port.strip().isdigit() for port in ports):
        del again[ORIGINALS], environ[ORIGINALS]
        assert again == environ


def test_rfc_7239_instead() -> None:
    fields = {
        "HTTP_FORWARDED": 'for="[2001:db8::1]:4711";proto=https;host="a.example:8443"',
        "HTTP_X_FORWARDED_FOR": "9.9.9.9",
        "HTTP_X_FORWARDED_PREFIX": "/mounted",
    }
    environ = environ_of(fields, "inner", "")
    Forwarding({"field": "Forwarded", "for": 1, "proto": 1, "host": 1, "prefix": 1}).apply(environ)
    assert environ["REMOTE_ADDR"] == "2001:db8::1"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_HOST"] == "a.example:8443"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("a.example", "8443")
    assert environ["SCRIPT_NAME"] == "/mounted"
    assert environ[ORIGINALS] == {
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "inner",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SCRIPT_NAME": "",
    }
