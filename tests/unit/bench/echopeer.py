"""A threaded WebSocket echo for the tests of the benchmarks: python echopeer.py HOST PORT [BEHAVIOUR].

BEHAVIOUR is `honest`, or what it does wrong: `garbles` what it echoes, proves nothing when it `forges` the
handshake, `refuses` it, `hangs-up` after the first message, or `pings` before each echo, which is right too.
"""

from __future__ import annotations

import base64
import hashlib
import socketserver
import sys

from bench.websocket import MAGIC

BEHAVIOUR = "honest"


class Echo(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        key = b""
        while (line := self.rfile.readline()).strip():
            if line.lower().startswith(b"sec-websocket-key:"):
                key = line.split(b":")[1].strip()
        if BEHAVIOUR == "refuses":
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        proof = base64.b64encode(hashlib.sha1(b"" if BEHAVIOUR == "forges" else key + MAGIC).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.wfile.write(head + b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n")
        while head := self.rfile.read(2):
            size = head[1] & 0x7F
            if size == 126:
                size = int.from_bytes(self.rfile.read(2), "big")
            mask = self.rfile.read(4)
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(size)))
            if BEHAVIOUR == "hangs-up":
                return
            if BEHAVIOUR == "garbles":
                payload = payload[::-1]
            if BEHAVIOUR == "pings":
                self.wfile.write(b"\x89\x00")
            length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
            self.wfile.write(head[:1] + length + payload)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    BEHAVIOUR = (sys.argv[3:] or ["honest"])[0]
    with Server((sys.argv[1], int(sys.argv[2])), Echo) as server:
        server.serve_forever()
