"""The cases of RFC 6455 sections 5 to 8 and RFC 7692 section 7: `TOPICS` maps a topic to its cases."""

from __future__ import annotations

from collections.abc import Mapping

from indrik.protocol.websocket_frames import BINARY, CLOSE, PING, PONG, TEXT
from tests.wire.frames import (
    PAYLOAD,
    PROTOCOL,
    SIZE,
    Case,
    binary,
    close,
    cut,
    deflated,
    fragments,
    frame,
    ping,
    pong,
    text,
)

_HELLO = text("Hello")

#: What every case with a bad frame has before it, so that the frame is not judged by being the first.
_GOOD = (TEXT, "Hello")


def _good(name: str, data: bytes, *events: tuple[int, object], **others: object) -> Case:
    return Case(name, data, events, **others)  # type: ignore[arg-type]


def _bad(name: str, data: bytes, code: int = PROTOCOL, at: int | None = None, **others: object) -> Case:
    return Case(
        name,
        _HELLO + data,
        (_GOOD,),
        failed=code,
        at=None if at is None else len(_HELLO) + at,
        **others,  # type: ignore[arg-type]
    )


def _lengths(size: int) -> Case:
    data = bytes(index * 7 & 255 for index in range(size))
    return _good(f"binary of {size}", binary(data), (BINARY, data))


FRAMES = (
    # RFC 6455 section 5.7, as printed there.
    _good("Hello", bytes.fromhex("818537fa213d7f9f4d5158"), (TEXT, "Hello")),
    _good("pong with Hello", bytes.fromhex("8a8537fa213d7f9f4d5158"), (PONG, b"Hello")),
    *(_lengths(size) for size in (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 124, 125, 126, 127, 128, 255, 256)),
    *(_lengths(size) for size in (65534, 65535, 65536, 65537)),
    _good("empty text", text(""), (TEXT, "")),
    _good("a mask of zeros", text("Hello", key=b"\0\0\0\0"), (TEXT, "Hello")),
    _good("a mask of ones", text("Hello", key=b"\xff\xff\xff\xff"), (TEXT, "Hello")),
    _good("a high bit in the mask's last octet", text("Hello", key=b"\1\2\3\xfe"), (TEXT, "Hello")),
    _good("messages in a row", _HELLO + binary(b"\0") + _HELLO, _GOOD, (BINARY, b"\0"), _GOOD),
    _good("ping", ping(), (PING, b"")),
    _good("ping of 125", ping(b"x" * 125), (PING, b"x" * 125)),
    _good("ping that is no UTF-8", ping(b"\xff\xfe\0"), (PING, b"\xff\xfe\0")),
    _good("pong that nobody asked for", pong(b"x"), (PONG, b"x")),
    _good("pings in a row", ping(b"1") + ping(b"2") + pong(b"3"), (PING, b"1"), (PING, b"2"), (PONG, b"3")),
    *(_bad(f"opcode {code}", frame(code, b"x"), at=2) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *(_bad(f"opcode {code}, empty", frame(code), at=2) for code in (3, 11)),
    *(_bad(f"RSV {rsv} in text", text("x", rsv=rsv), at=2) for rsv in range(1, 8)),
    *(_bad(f"RSV {rsv} in a ping", frame(PING, rsv=rsv), at=2) for rsv in (1, 2, 4)),
    _bad("RSV in a close frame", frame(CLOSE, rsv=4), at=2),
    _bad("unmasked text", text("Hello", key=None), at=2),
    _bad("unmasked ping", frame(PING, key=None), at=2),
    _bad("unmasked close", frame(CLOSE, key=None), at=2),
    *(
        _bad(f"{size} in 16 bits", binary(b"x" * size, length=b"\x7e" + size.to_bytes(2, "big")), at=4)
        for size in (0, 1, 125)
    ),
    *(
        _bad(f"{size} in 64 bits", binary(b"x" * size, length=b"\x7f" + size.to_bytes(8, "big")), at=10)
        for size in (0, 125, 126, 65535)
    ),
    _bad("the highest bit of a length", binary(b"", length=b"\x7f\x80" + bytes(7)), at=10),
    _bad("every bit of a length", binary(b"", length=b"\x7f" + b"\xff" * 8), at=10),
    *(_bad(f"ping of {size}", ping(b"x" * size), at=2) for size in (126, 65536)),
    _bad("pong of 126", pong(b"x" * 126), at=2),
    _bad("close of 126", close(1000, b"x" * 124), at=2),
    *(_bad(f"fragmented control {code}", frame(code, b"", fin=False), at=2) for code in (CLOSE, PING, PONG)),
    *(
        Case(f"nothing of a frame but {size} octets", text("Hello")[:size], rest=True)
        for size in (1, 2, 3, 5, 6, 8)
    ),
    Case("nothing of a long frame but its head", binary(b"x" * 70000)[:14], rest=True),
    Case("nothing of a ping but one octet less", ping(b"x" * 125)[:-1], rest=True),
)

FRAGMENTS = (
    _good("RFC 6455 section 5.7", fragments(TEXT, b"Hel", b"lo"), (TEXT, "Hello")),
    _good("three", fragments(BINARY, b"a", b"b", b"c"), (BINARY, b"abc")),
    _good("one octet each", fragments(BINARY, *cut(bytes(range(256)), 1)), (BINARY, bytes(range(256)))),
    _good("all empty", fragments(TEXT, b"", b"", b""), (TEXT, "")),
    _good("first empty", fragments(TEXT, b"", b"x"), (TEXT, "x")),
    _good("last empty", fragments(BINARY, b"x", b""), (BINARY, b"x")),
    _good("many empty", fragments(TEXT, b"x", *[b""] * 500, b"y"), (TEXT, "xy")),
    _good("a ping between", fragments(TEXT, b"a", b"b", between=ping(b"p")), (PING, b"p"), (TEXT, "ab")),
    _good(
        "pings and pongs between",
        fragments(BINARY, b"a", b"b", b"c", between=ping(b"p") + pong(b"q")),
        *((PING, b"p"), (PONG, b"q")) * 2,
        (BINARY, b"abc"),
    ),
    _good(
        "two messages",
        fragments(TEXT, b"a", b"b") + fragments(BINARY, b"c", b"d"),
        (TEXT, "ab"),
        (BINARY, b"cd"),
    ),
    _good("large ones", fragments(BINARY, *[b"x" * 5000] * 5), (BINARY, b"x" * 25000)),
    _good("a close between", fragments(TEXT, b"a", b"b", between=close(1000)), (CLOSE, (1000, ""))),
    _bad("a continuation of nothing", frame(0, b"x"), at=2),
    _bad("a continuation of nothing that goes on", frame(0, b"x", fin=False), at=2),
    _bad("an empty continuation of nothing", frame(0), at=2),
    _bad("text inside of text", text("a", fin=False) + text("b"), at=9),
    _bad("binary inside of text", text("a", fin=False) + binary(b"b", fin=False), at=9),
    _bad("text inside of binary", binary(b"a", fin=False) + text("b"), at=9),
    _bad("text inside of an empty beginning", text("", fin=False) + text("b"), at=8),
    _bad("RSV1 in a continuation", text("a", fin=False) + frame(0, b"b", rsv=4), at=9),
    _bad("unmasked continuation", text("a", fin=False) + frame(0, b"b", key=None), at=9),
    Case("no end", fragments(TEXT, b"a", b"b")[:-7], rest=True),
)

_VALID = (
    "\u03ba\u1f79\u03c3\u03bc\u03b5",
    "\x00",
    "\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff",
    "\ud7ff\ue000\ufffd\ufdd0\ufffe",
    "\ufeffmark",
)
#: What is no UTF-8, and after how many octets nothing can mend it.
_INVALID = (
    ("a lone continuation", b"\x80", 1),
    ("another lone continuation", b"a\xbf", 2),
    ("0xFE", b"\xfe", 1),
    ("0xFF", b"ab\xff", 3),
    ("overlong in two", b"\xc0\xaf", 1),
    ("overlong NUL", b"\xc1\x80", 1),
    ("overlong in three", b"\xe0\x80\xaf", 2),
    ("overlong in four", b"\xf0\x80\x80\xaf", 2),
    ("a surrogate", b"\xed\xa0\x80", 2),
    ("a pair of surrogates", b"\xed\xad\xbf\xed\xbf\xbf", 2),
    ("beyond U+10FFFF", b"\xf4\x90\x80\x80", 2),
    ("five octets", b"\xf8\x88\x80\x80\x80", 1),
    ("cut short by ASCII", b"\xe2\x82(", 3),
    ("cut short by another", b"\xce\xce", 2),
    ("Latin-1", "\xe4".encode("latin-1") + b"x", 2),
)

UTF8 = (
    *(_good(f"text {value!a}", text(value), (TEXT, value)) for value in _VALID),
    *(_good(f"split {value!a}", fragments(TEXT, *cut(value.encode(), 1)), (TEXT, value)) for value in _VALID),
    _good("split, large", fragments(TEXT, *cut(("\u20ac" * 999).encode(), 100)), (TEXT, "\u20ac" * 999)),
    _good("binary may be anything", binary(b"\xff\xed\xa0\x80"), (BINARY, b"\xff\xed\xa0\x80")),
    *(_bad(f"whole: {name}", text(data), PAYLOAD, 6 + at) for name, data, at in _INVALID),
    # What comes behind in the same message does not matter.
    *(
        _bad(f"early: {name}", text(data + b"x" * 50, fin=False) + frame(0, b"y"), PAYLOAD, 6 + at)
        for name, data, at in _INVALID
    ),
    _bad("in the second fragment", fragments(TEXT, b"abc", b"\xff"), PAYLOAD),
    _bad("across fragments", fragments(TEXT, b"\xe2\x82", b"x"), PAYLOAD),
    _bad("a surrogate across fragments", fragments(TEXT, b"\xed", b"\xa0\x80"), PAYLOAD, 14),
    _bad("ends inside of a character", text(b"\xe2\x82"), PAYLOAD),
    _bad("ends inside of a character, in fragments", fragments(TEXT, b"\xe2", b"\x82"), PAYLOAD),
    _bad("ends inside of a character, last one empty", fragments(TEXT, b"x\xf0\x9f", b""), PAYLOAD),
    Case("a character that is not there yet", text(b"\xf0\x9f\x98\x80", fin=False)[:-1], rest=True),
)

_SENT = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
_UNSENT = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)

CLOSING = (
    _good("no code", close(), (CLOSE, (1005, ""))),
    *(_good(f"code {code}", close(code), (CLOSE, (code, ""))) for code in _SENT),
    _good("a reason", close(1000, "tsch\xfcss".encode()), (CLOSE, (1000, "tsch\xfcss"))),
    _good("a reason of 123", close(1001, b"x" * 123), (CLOSE, (1001, "x" * 123))),
    _good("behind a message", _HELLO + close(1000), _GOOD, (CLOSE, (1000, ""))),
    _good("nothing counts behind it", close(1000) + b"\xff\xff", (CLOSE, (1000, ""))),
    _good("no message counts behind it", close(1000) + _HELLO + ping(), (CLOSE, (1000, ""))),
    _bad("one octet", frame(CLOSE, b"\x03")),
    *(_bad(f"code {code}", close(code)) for code in _UNSENT),
    _bad("a reason that is no UTF-8", close(1000, b"\xff"), PAYLOAD),
    _bad("a reason that is cut short", close(1000, b"\xe2\x82"), PAYLOAD),
    _bad("a wrong code before the wrong reason", close(1005, b"\xff")),
    _bad("nothing counts behind a failure", frame(3) + _HELLO, at=2),
)

SIZES = (
    _good("text of the limit", text("x" * 300), (TEXT, "x" * 300), max_size=300),
    _good("fragments of the limit", fragments(BINARY, b"abcdef", b"gh"), (BINARY, b"abcdefgh"), max_size=8),
    _good("each message by itself", binary(b"x" * 9) * 3, *[(BINARY, b"x" * 9)] * 3, max_size=9),
    _good(
        "each fragmented message by itself",
        fragments(BINARY, b"x" * 5, b"x" * 5) * 3,
        *[(BINARY, b"x" * 10)] * 3,
        max_size=10,
    ),
    _good("control frames are no messages", ping(b"x" * 100), (PING, b"x" * 100), max_size=9),
    _good("an empty message", binary(b""), (BINARY, b""), max_size=4),
    _bad("one more", binary(b"x" * 6), SIZE, 2, max_size=5),
    _bad("one more in 16 bits", binary(b"x" * 301), SIZE, 4, max_size=300),
    _bad("one more in 64 bits", binary(b"x" * 70001), SIZE, 10, max_size=70000),
    _bad("announced only", binary(b"", length=b"\x7f\x7f" + b"\xff" * 7), SIZE, 10),
    _bad("one more in fragments", fragments(BINARY, b"x" * 3, b"x" * 3), SIZE, 11, max_size=5),
    _bad("the last octet in a thousand", fragments(BINARY, *[b"x"] * 1001), SIZE, 7002, max_size=1000),
    _bad(
        "2 ** 63 - 1 behind a fragment",
        binary(b"x", fin=False) + frame(0, length=b"\x7f\x7f" + b"\xff" * 7),
        SIZE,
        17,
    ),
)

_RFC_TWO = b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x00\x11\x00\x00"
_STORED = b"\x00\x05\x00\xfa\xffHello\x00"
_FINAL = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
_BLOCKS = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"


def _z(name: str, data: bytes, *events: tuple[int, object], **others: object) -> Case:
    return _good(name, data, *events, **{"deflate": "takeover", **others})


def _bad_z(name: str, data: bytes, code: int = PROTOCOL, at: int | None = None, **others: object) -> Case:
    return _bad(name, data, code, at, **{"deflate": "takeover", **others})


_DATA = bytes(range(256)) * 9
_BOMB = deflated(b"\0" * 2_000_000)[0]
_TEXTS = tuple(f"message {number} of some messages" * 3 for number in range(8))

DEFLATE = (
    # RFC 7692 section 7.2.3, as printed there.
    _z("one block", text(_RFC_TWO[0], rsv=4), _GOOD),
    _z("one block in fragments", fragments(TEXT, _RFC_TWO[0][:3], _RFC_TWO[0][3:], rsv=4), _GOOD),
    _z("sharing a window", text(_RFC_TWO[0], rsv=4) + text(_RFC_TWO[1], rsv=4), _GOOD, _GOOD),
    _z("no compression", text(_STORED, rsv=4), _GOOD),
    _z("a final block", text(_FINAL, rsv=4), _GOOD),
    _z("two blocks", text(_BLOCKS, rsv=4), _GOOD),
    _z("each time without the window", text(_RFC_TWO[0], rsv=4) * 3, *[_GOOD] * 3, deflate="no takeover"),
    _z("final blocks each time", text(_FINAL, rsv=4) * 3, *[_GOOD] * 3),
    _z("final blocks, in octets", fragments(TEXT, *cut(_FINAL, 1), rsv=4), _GOOD),
    _z("a final block without an end", text(_FINAL[:-1], rsv=4) * 2, _GOOD, _GOOD),
    _z("two final blocks", text(_FINAL[:-1] + _FINAL, rsv=4), (TEXT, "HelloHello")),
    _z("uncompressed", _HELLO, _GOOD),
    _z(
        "both kinds in turn",
        text(_RFC_TWO[0], rsv=4) + _HELLO + text(_RFC_TWO[1], rsv=4),
        *[_GOOD] * 3,
    ),
    _z("empty", text(b"\0", rsv=4), (TEXT, "")),
    _z("empty without an octet", text(b"", rsv=4), (TEXT, "")),
    _z("empty fragments", fragments(TEXT, b"", _RFC_TWO[0], b"", rsv=4), _GOOD),
    _z(
        "a ping between",
        fragments(TEXT, b"\xf2\x48", _RFC_TWO[0][2:], rsv=4, between=ping()),
        (PING, b""),
        _GOOD,
    ),
    _z(
        "messages that refer back",
        b"".join(text(data, rsv=4) for data in deflated(*(value.encode() for value in _TEXTS))),
        *((TEXT, value) for value in _TEXTS),
    ),
    _z(
        "messages that end their streams",
        b"".join(binary(data, rsv=4) for data in deflated(*(value.encode() for value in _TEXTS), final=True)),
        *((BINARY, value.encode()) for value in _TEXTS),
    ),
    *(
        _z(f"level {level}", binary(deflated(_DATA, level=level)[0], rsv=4), (BINARY, _DATA))
        for level in range(10)
    ),
    *(
        _z(f"a window of {bits} bits", binary(deflated(_DATA, bits=bits)[0], rsv=4), (BINARY, _DATA))
        for bits in range(9, 16)
    ),
    _z(
        "UTF-8 cut by fragments",
        fragments(TEXT, *cut(deflated("\u20ac\U0001f600".encode())[0], 1), rsv=4),
        (TEXT, "\u20ac\U0001f600"),
    ),
    _z("of the limit", binary(deflated(b"x" * 500)[0], rsv=4), (BINARY, b"x" * 500), max_size=500),
    _z(
        "of the limit, incompressible",
        binary(deflated(bytes(range(256)), level=0)[0], rsv=4),
        (BINARY, bytes(range(256))),
        max_size=256,
    ),
    _bad_z("RSV1 and RSV2", text(_RFC_TWO[0], rsv=6), at=2),
    _bad_z("RSV3", text(_RFC_TWO[0], rsv=1), at=2),
    _bad_z("RSV1 in a continuation", text(_RFC_TWO[0][:2], fin=False, rsv=4) + frame(0, b"", rsv=4), at=10),
    _bad_z("RSV1 in a ping", frame(PING, rsv=4), at=2),
    _bad_z("RSV1 in a close frame", frame(CLOSE, rsv=4), at=2),
    _bad_z("a reserved kind of block", text(b"\x06", rsv=4), PAYLOAD),
    _bad_z("a stored length that contradicts itself", text(b"\x00\x05\x00\x05\x00Hello", rsv=4), PAYLOAD),
    _bad_z("a reference to before the beginning", text(_RFC_TWO[1], rsv=4), PAYLOAD),
    _bad_z("text that was never compressed", text("Hello, this is no deflate stream", rsv=4), PAYLOAD),
    _bad_z("not UTF-8", text(deflated(b"\xff")[0], rsv=4), PAYLOAD),
    _bad_z("not UTF-8, in fragments", fragments(TEXT, *cut(deflated(b"abc\xc0def")[0], 2), rsv=4), PAYLOAD),
    _bad_z("cut UTF-8", text(deflated(b"\xe2\x82")[0], rsv=4), PAYLOAD),
    _bad_z("one more than the limit", binary(deflated(b"x" * 501)[0], rsv=4), SIZE, max_size=500),
    _bad_z("a bomb", binary(_BOMB, rsv=4), SIZE, max_size=5000),
    _bad_z("a bomb of text", text(_BOMB, rsv=4), SIZE, max_size=5000),
    _bad_z("a bomb in fragments", fragments(BINARY, *cut(_BOMB, 50), rsv=4), SIZE, max_size=5000),
    _bad_z("UTF-8 before the bomb", text(deflated(b"\xff" + b"\0" * 9999)[0], rsv=4), PAYLOAD, max_size=99),
    _bad_z("the bomb before UTF-8", text(deflated(b"x" * 9999 + b"\xff")[0], rsv=4), SIZE, max_size=99),
    _bad_z("a thousand final blocks", binary(b"\x03\x00" * 1000, rsv=4), PAYLOAD),
    _bad_z("compressed longer than can be", binary(b"\0\0\0\xff\xff" * 99, rsv=4), SIZE, 4, max_size=99),
)

TOPICS: Mapping[str, tuple[Case, ...]] = {
    "frames": FRAMES,
    "fragments": FRAGMENTS,
    "utf-8": UTF8,
    "closing": CLOSING,
    "sizes": SIZES,
    "deflate": DEFLATE,
}
