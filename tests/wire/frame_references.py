"""What `websockets` and `wsproto` make of the same frames, in the form of `Decoder`'s events."""

from __future__ import annotations

import codecs
from typing import Any, NamedTuple

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.server import ServerProtocol
from websockets.typing import ExtensionName
from wsproto.extensions import PerMessageDeflate as WsprotoDeflate
from wsproto.frame_protocol import FrameProtocol, ParseFailed
from wsproto.frame_protocol import Opcode as WsprotoOpcode

from indrik.protocol.websocket_extensions import Deflate
from indrik.protocol.websocket_frames import BINARY, CLOSE, PING, PONG, TEXT


class Reading(NamedTuple):
    """Events by kind, and the close code of the failure, None where there is none."""

    events: list[tuple[int, Any]]
    failed: int | None


def _offer(agreed: Deflate) -> str:
    """An offer that other servers answer with the same windows and takeovers."""
    words = ["permessage-deflate"]
    if not agreed.client_takeover:
        words.append("client_no_context_takeover")
    return "; ".join([*words, f"client_max_window_bits={agreed.client_bits}"])


def websockets_reading(data: bytes, agreed: Deflate | None, max_size: int) -> Reading:
    """By the sans-I/O protocol of `websockets`, as a server. It gives frames and leaves it to its caller to
    put messages together.
    """
    protocol = ServerProtocol(max_size=max_size)
    protocol.state = type(protocol.state).OPEN
    # The handshake sets this up; here there was none.
    protocol.parser = protocol.parse()
    next(protocol.parser)
    if agreed is not None:
        protocol.extensions = [
            PerMessageDeflate(not agreed.client_takeover, False, agreed.client_bits, agreed.server_bits)
        ]
        assert protocol.extensions[0].name == ExtensionName("permessage-deflate")
    protocol.receive_data(data)
    events: list[tuple[int, Any]] = []
    message = b""
    kind = 0
    received: list[Any] = list(protocol.events_received())
    for frame in received:
        opcode = int(frame.opcode)
        payload = bytes(frame.data)
        if frame.opcode is Opcode.CLOSE:
            assert protocol.close_rcvd is not None
            events.append((CLOSE, (protocol.close_rcvd.code, protocol.close_rcvd.reason)))
        elif opcode > CLOSE:
            events.append((opcode, payload))
        else:
            kind, message = (opcode, payload) if opcode else (kind, message + payload)
            try:
                if kind == TEXT:
                    codecs.utf_8_decode(message, "strict", frame.fin)
            except UnicodeDecodeError:
                return Reading(events, 1007)
            if frame.fin:
                events.append((kind, message.decode() if kind == TEXT else message))
    if protocol.parser_exc is None:
        return Reading(events, None)
    assert protocol.close_sent is not None
    return Reading(events, int(protocol.close_sent.code))


def wsproto_reading(data: bytes, agreed: Deflate | None, max_size: int) -> Reading:
    """By the frame parser of `wsproto`, which knows no limit of a message."""
    extensions: list[Any] = []
    if agreed is not None:
        extensions.append(WsprotoDeflate(client_no_context_takeover=not agreed.client_takeover))
        extensions[0].accept(_offer(agreed))
        assert extensions[0].enabled()
    protocol = FrameProtocol(client=False, extensions=extensions)
    protocol.receive_bytes(data)
    events: list[tuple[int, Any]] = []
    message: Any = None
    try:
        for frame in protocol.received_frames():
            payload: Any = frame.payload
            if frame.opcode is WsprotoOpcode.CLOSE:
                code, reason = payload
                events.append((CLOSE, (int(code), reason or "")))
                break
            if frame.opcode is WsprotoOpcode.PING:
                events.append((PING, bytes(payload)))
            elif frame.opcode is WsprotoOpcode.PONG:
                events.append((PONG, bytes(payload)))
            else:
                message = payload if message is None else message + payload
                if len(message) > max_size:
                    return Reading(events, 1009)
                if frame.message_finished:
                    kind = TEXT if isinstance(message, str) else BINARY
                    events.append((kind, message if kind == TEXT else bytes(message)))
                    message = None
    except ParseFailed as error:
        return Reading(events, int(error.code))
    return Reading(events, None)
