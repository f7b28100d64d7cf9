"""Which requests open a WebSocket, what is refused, and the answer's head."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indrik.protocol.head import HeadParser
from indrik.protocol.limits import Limits
from indrik.protocol.octets import head_end
from indrik.protocol.refusals import (
    InvalidFraming,
    InvalidHandshake,
    RequestRefused,
    UnsupportedWebSocketVersion,
)
from indrik.protocol.request import Request
from indrik.protocol.response import InvalidResponse, fields_tail, render_refusal
from indrik.protocol.websocket_extensions import Deflate, DeflateSettings, negotiate_deflate, parse_extensions
from indrik.protocol.websocket_handshake import Handshake, parse_handshake, render_accept, wants_websocket

TAIL = fields_tail("Mon, 01 Jan 2024 00:00:00 GMT", "indrik")

FIELDS = {
    "Host": "example.org",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def parse(data: str) -> Request:
    head = data.encode("latin-1")
    return HeadParser(Limits()).parse(Request(), head, head_end(head, 0), False)


def request(
    *more: str, line: str = "GET /chat HTTP/1.1", without: str = "", **changed: str
) -> Request:
    """The handshake of RFC 6455 section 1.3, its fields `changed` (dashes left out), and `more` lines."""
    new = {name: changed.pop(name.replace("-", "").lower(), value) for name, value in FIELDS.items()}
    assert not changed
    lines = [f"{name}: {value}" for name, value in new.items() if name != without]
    return parse("\r\n".join([line, *lines, *more, "", ""]))


class TestWantsWebsocket:
    @pytest.mark.parametrize(
        "changed",
        [
            {},
            {"upgrade": "WebSocket"},
            {"upgrade": "WEBSOCKET"},
            {"upgrade": "h2c, websocket"},
            {"upgrade": ", websocket ,"},
            {"connection": "upgrade"},
            {"connection": "keep-alive, Upgrade"},
            {"connection": "UPGRADE,close"},
        ],
    )
    def test_yes(self, changed: dict[str, str]) -> None:
        assert wants_websocket(request(**changed))

    @pytest.mark.parametrize(
        "changed",
        [
            {"without": "Upgrade"},
            {"without": "Connection"},
            {"upgrade": "h2c"},
            {"upgrade": "websocket/13"},
            {"upgrade": "websockets"},
            {"upgrade": "x websocket"},
            {"upgrade": ""},
            {"connection": "keep-alive"},
            {"connection": "upgraded"},
            {"connection": ""},
            {"line": "GET /chat HTTP/1.0"},
        ],
    )
    def test_no(self, changed: dict[str, str]) -> None:
        assert not wants_websocket(request(**changed))

    def test_reads_several_fields_as_one(self) -> None:
        assert wants_websocket(
            request("Upgrade: websocket", "Connection: upgrade", upgrade="h2c", connection="keep-alive")
        )


class TestParse:
    def test_answers_the_example_of_the_rfc(self) -> None:
        assert parse_handshake(request()) == Handshake("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", (), ())

    def test_reads_subprotocols_in_their_order(self) -> None:
        found = parse_handshake(
            request("Sec-WebSocket-Protocol: chat, superchat,,", "Sec-WebSocket-Protocol:v1.x")
        )
        assert found.subprotocols == ("chat", "superchat", "v1.x")

    @pytest.mark.parametrize("value", ["a b", "a/b", "a,b;c", '"a"', "a, a", "", " , ", "\xe4"])
    def test_refuses_what_is_no_list_of_subprotocols(self, value: str) -> None:
        with pytest.raises(InvalidHandshake):
            parse_handshake(request(f"Sec-WebSocket-Protocol: {value}"))

    def test_refuses_a_subprotocol_that_another_field_names_again(self) -> None:
        with pytest.raises(InvalidHandshake):
            parse_handshake(request("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"))

    @pytest.mark.parametrize("version", ["12", "14", "8", "013", "+13", "13, 13", "8, 13", "", "1 3", "13.0"])
    def test_knows_one_version(self, version: str) -> None:
        with pytest.raises(UnsupportedWebSocketVersion):
            parse_handshake(request(secwebsocketversion=version))

    def test_wants_the_version(self) -> None:
        with pytest.raises(UnsupportedWebSocketVersion):
            parse_handshake(request(without="Sec-WebSocket-Version"))

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZR==",  # the same octets, written otherwise
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZWE=",
            "dGhlIHNhbXBsZSBub25jZQ==AAAA",
            "dGhlIHNhbXBsZSBub25j_Q==",
            "dGhlIHNhbXBsZSBub2 jZQ==",
            "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        ],
    )
    def test_wants_a_key_of_16_octets(self, key: str) -> None:
        with pytest.raises(InvalidHandshake):
            parse_handshake(request(secwebsocketkey=key))

    def test_wants_a_key_once(self) -> None:
        with pytest.raises(InvalidHandshake):
            parse_handshake(request(without="Sec-WebSocket-Key"))
        with pytest.raises(InvalidHandshake):
            parse_handshake(request(f"Sec-WebSocket-Key: {FIELDS['Sec-WebSocket-Key']}"))

    @pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
    def test_wants_get(self, method: str) -> None:
        with pytest.raises(InvalidHandshake):
            parse_handshake(request(line=f"{method} /chat HTTP/1.1"))

    def test_wants_a_host(self) -> None:
        with pytest.raises(RequestRefused):
            parse_handshake(request(host=""))

    @pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
    def test_refuses_a_body(self, field: str) -> None:
        with pytest.raises(InvalidFraming):
            parse_handshake(request(field))

    def test_takes_a_body_of_nothing(self) -> None:
        assert parse_handshake(request("Content-Length: 0")).accept

    def test_the_refusal_of_a_version_names_the_right_one(self) -> None:
        refusal = UnsupportedWebSocketVersion("8")
        head = render_refusal(refusal.status, refusal.reason, refusal.fields + TAIL)
        assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
        assert b"\r\nSec-WebSocket-Version: 13\r\n" in head
        assert b"\r\nUpgrade: websocket\r\n" in head


class TestExtensions:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("", ()),
            (" , ,", ()),
            ("foo", (("foo", ()),)),
            ("foo, bar", (("foo", ()), ("bar", ()))),
            ("foo;a", (("foo", (("a", None),)),)),
            ("foo;a=1 ; b = two", (("foo", (("a", "1"), ("b", "two"))),)),
            ('foo;a="x"', (("foo", (("a", "x"),)),)),
            ('foo;a="\\x\\-y"', (("foo", (("a", "x-y"),)),)),
            ("a;b,c;d=e", (("a", (("b", None),)), ("c", (("d", "e"),)))),
            ("\ta\t;\tb\t=\tc\t,\td\t", (("a", (("b", "c"),)), ("d", ()))),
            ("a;b;b", (("a", (("b", None), ("b", None))),)),
        ],
    )
    def test_grammar(self, value: str, expected: tuple[Any, ...]) -> None:
        assert parse_extensions(value) == expected

    @pytest.mark.parametrize(
        "value",
        [
            "foo bar",
            "foo;",
            "foo;;a",
            "foo; =1",
            "foo;a=",
            "foo;a=,",
            "foo;a=b=c",
            "foo;a=b c",
            "foo=1",
            ";a",
            "=",
            '"foo"',
            'foo;a="',
            'foo;a="x',
            'foo;a=""',
            'foo;a="x y"',
            'foo;a="x,y"',
            'foo;a="\\"',
            'foo;a="x"y',
            "foo;a='x y'",
            "f\xe4",
            "foo/1",
        ],
    )
    def test_refuses_the_rest(self, value: str) -> None:
        with pytest.raises(InvalidHandshake):
            parse_extensions(value)
        with pytest.raises(InvalidHandshake):
            parse_handshake(request(f"Sec-WebSocket-Extensions: good, {value}"))

    def test_reads_several_fields_as_one(self) -> None:
        found = parse_handshake(request("Sec-WebSocket-Extensions: a;b", "Sec-WebSocket-Extensions: c"))
        assert found.extensions == (("a", (("b", None),)), ("c", ()))

    @given(st.text(st.sampled_from('ab;,= \t"\\\xe4'), max_size=30))
    def test_never_raises_anything_else(self, value: str) -> None:
        try:
            found = parse_extensions(value)
        except InvalidHandshake:
            return
        for name, parameters in found:
            for text in (name, *(text for pair in parameters for text in pair if text is not None)):
                assert re.fullmatch("[ab]+", text)

    def test_takes_linear_time(self) -> None:
        # Each would take minutes with a pattern that tries several ways.
        for value in ("a " * 30000, "a;" * 30000, "a;b=" + '"' * 1 + "\\x" * 30000, "a" + " " * 60000 + "x"):
            with pytest.raises(InvalidHandshake):
                parse_extensions(value)


class TestNegotiation:
    def agree(self, offer: str, **settings: Any) -> Deflate | None:
        return negotiate_deflate(parse_extensions(offer), DeflateSettings(**settings))

    @pytest.mark.parametrize(
        ("offer", "settings", "answer", "server", "client", "takeovers"),
        [
            # The server's window needs no word where the client did not ask; the client's cannot be made
            # smaller where it did not offer it, so its memory is given back after each message.
            ("", {}, "; client_no_context_takeover", 12, 15, (True, False)),
            ("", {"client_bits": 15}, "", 12, 15, (True, True)),
            ("; client_max_window_bits", {}, "; client_max_window_bits=12", 12, 12, (True, True)),
            ("; client_max_window_bits", {"client_bits": 15}, "", 12, 15, (True, True)),
            ("; client_max_window_bits=10", {}, "; client_max_window_bits=10", 12, 10, (True, True)),
            ("; client_max_window_bits=8", {}, "; client_max_window_bits=8", 12, 8, (True, True)),
            ('; client_max_window_bits="15"', {}, "; client_max_window_bits=12", 12, 12, (True, True)),
            (
                "; server_max_window_bits=10; client_max_window_bits",
                {},
                "; server_max_window_bits=10; client_max_window_bits=12",
                10,
                12,
                (True, True),
            ),
            (
                "; server_max_window_bits=15",
                {"client_bits": 15},
                "; server_max_window_bits=12",
                12,
                15,
                (True, True),
            ),
            (
                "; server_no_context_takeover; client_no_context_takeover",
                {},
                "; server_no_context_takeover; client_no_context_takeover",
                12,
                15,
                (False, False),
            ),
            (
                "; client_max_window_bits",
                {"server_no_context_takeover": True, "client_no_context_takeover": True},
                "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=12",
                12,
                12,
                (False, False),
            ),
        ],
    )
    def test_agreements(
        self,
        offer: str,
        settings: dict[str, Any],
        answer: str,
        server: int,
        client: int,
        takeovers: tuple[bool, bool],
    ) -> None:
        agreed = self.agree("permessage-deflate" + offer, **settings)
        assert agreed is not None
        assert agreed.extension == "permessage-deflate" + answer
        assert (agreed.server_bits, agreed.client_bits) == (server, client)
        assert (agreed.server_takeover, agreed.client_takeover) == takeovers

    @pytest.mark.parametrize(
        "offer",
        [
            "x-webkit-deflate-frame",
            "Permessage-Deflate",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=true",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=8",  # what zlib cannot do
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=09",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        ],
    )
    def test_declines(self, offer: str) -> None:
        assert self.agree(offer) is None

    def test_takes_the_first_that_will_do(self) -> None:
        agreed = self.agree(
            "foo, permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits=9"
            ", permessage-deflate"
        )
        assert agreed is not None
        assert agreed.extension == "permessage-deflate; client_max_window_bits=9"

    def test_can_be_switched_off(self) -> None:
        assert negotiate_deflate(parse_extensions("permessage-deflate"), None) is None

    @pytest.mark.parametrize(
        "wrong",
        [{"server_bits": 8}, {"client_bits": 16}, {"level": 10}, {"memory": 0}, {"threshold": 0}],
    )
    def test_settings_are_checked(self, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DeflateSettings(**wrong)  # type: ignore[arg-type]


class TestAccept:
    def test_head(self) -> None:
        offer = request("Sec-WebSocket-Protocol: chat, v2", "Sec-WebSocket-Extensions: permessage-deflate")
        handshake = parse_handshake(offer)
        deflate = negotiate_deflate(handshake.extensions, DeflateSettings(client_bits=15))
        head = render_accept(handshake, "v2", deflate, [("X-A", "1"), ("Set-Cookie", "b=\xe4")], TAIL)
        assert head.decode("latin-1").split("\r\n") == [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: v2",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "X-A: 1",
            "Set-Cookie: b=\xe4",
            "Date: Mon, 01 Jan 2024 00:00:00 GMT",
            "Server: indrik",
            "",
            "",
        ]

    def test_says_only_what_was_chosen(self) -> None:
        head = render_accept(parse_handshake(request()), None, None, [], TAIL)
        assert b"Protocol:" not in head
        assert b"Extensions" not in head

    def test_date_and_server_of_the_application_go_before(self) -> None:
        headers = [("date", "today"), ("Server", "mine"), ("Date", "tomorrow")]
        head = render_accept(parse_handshake(request()), None, None, headers, TAIL)
        assert head.lower().count(b"\r\ndate:") == head.lower().count(b"\r\nserver:") == 1
        assert head.endswith(b"\r\ndate: today\r\nServer: mine\r\n\r\n")

    @pytest.mark.parametrize("subprotocol", ["other", "", "Chat", "chat, v2"])
    def test_the_subprotocol_must_be_offered(self, subprotocol: str) -> None:
        handshake = parse_handshake(request("Sec-WebSocket-Protocol: chat, v2"))
        with pytest.raises(InvalidResponse, match="subprotocol"):
            render_accept(handshake, subprotocol, None, [], TAIL)

    @pytest.mark.parametrize(
        "name",
        [
            "Connection",
            "upgrade",
            "Keep-Alive",
            "Transfer-Encoding",
            "TE",
            "Trailer",
            "Proxy-Connection",
            "Content-Length",
            "Sec-WebSocket-Accept",
            "sec-websocket-protocol",
            "Sec-WebSocket-Extensions",
            "Sec-WebSocket-Version",
        ],
    )
    def test_the_application_may_not_set_the_servers_own(self, name: str) -> None:
        with pytest.raises(InvalidResponse, match=f"(?i){name}"):
            render_accept(parse_handshake(request()), None, None, [(name, "x")], TAIL)

    @pytest.mark.parametrize(
        "pair",
        [
            ("X", "a\r\nb: c"),
            ("X", "a\nb"),
            ("X", "\0"),
            ("X", "\u0100"),
            ("X\r\nY", "1"),
            ("", "1"),
            ("X Y", "1"),
            ("X", 1),
            (b"X", b"1"),
            ("X",),
            (["X"], "1"),
        ],
    )
    def test_nothing_splits_the_head(self, pair: Any) -> None:
        with pytest.raises(InvalidResponse):
            render_accept(parse_handshake(request()), None, None, [pair], TAIL)
