"""The client in X-Forwarded-For, beside uvicorn's middleware: for any field both find the same."""

from __future__ import annotations

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import _TrustedHosts

from indrik.protocol.forwarded import client_behind_trusted

TRUSTED = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]
NETWORKS = [ipaddress.ip_network(word) for word in TRUSTED]

node = st.sampled_from([
    "127.0.0.1", "10.1.2.3", "8.8.8.8", "8.8.8.8:80", "10.0.0.1:7", "2001:db8::1", "[2001:db8::1]:5", "::2",
    "[::2]", "[::2]:443", "unknown", "_hidden", "", "a:b:c", "10.0.0.1 ", "[10.0.0.1]",
])


def trusts(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in NETWORKS)


@given(st.lists(node, min_size=1, max_size=5), st.booleans())
@example(["10.0.0.1", "127.0.0.1"], False)
@example(["1.1.1.1", "8.8.8.8:80", "10.0.0.1:7"], False)
def test_as_uvicorn(nodes: list[str], everyone: bool) -> None:
    field = ", ".join(nodes)
    theirs = _TrustedHosts("*" if everyone else TRUSTED).get_trusted_client_address(field)
    assert client_behind_trusted(field, None if everyone else trusts) == theirs


def test_what_only_looks_like_a_port_stays_with_the_address() -> None:
    assert client_behind_trusted("a:b", trusts) == ("a:b", 0)
    assert client_behind_trusted("8.8.8.8:123456", trusts) == ("8.8.8.8:123456", 0)
