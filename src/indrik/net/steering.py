"""Which listener of a reuse_port group gets the next connection, told to the kernel (socket(7),
SO_ATTACH_REUSEPORT_CBPF).

By itself the kernel spreads connections over all sockets of the group, also over one whose worker is still
booting or about to leave. A small filter program that picks at random among the first so many keeps new
connections away from the rest.
"""

from __future__ import annotations

import socket
import struct
import sys

_SO_ATTACH_REUSEPORT_CBPF = 51

#: Classic BPF (linux/filter.h): code, jump if true, jump if false, operand.
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_WORD_ABSOLUTE = 0x20
_MODULO = 0x94
_RETURN_A = 0x16
#: SKF_AD_OFF + SKF_AD_RANDOM: "load" a random number instead of packet bytes.
_RANDOM = 0xFFFFF000 + 56


def steer(sock: socket.socket, count: int) -> bool:
    """Let only the first `count` sockets of `sock`'s group, in the order of their listen(2), get new
    connections.

    False where the system cannot do it (not Linux): then all of them go on getting some.
    """
    if not sys.platform.startswith("linux"):
        return False
    # Not at the top: it costs a tenth of the start-up, and few servers need it.
    import ctypes

    program = b"".join(
        (
            _INSTRUCTION.pack(_LOAD_WORD_ABSOLUTE, 0, 0, _RANDOM),
            _INSTRUCTION.pack(_MODULO, 0, 0, max(1, count)),
            _INSTRUCTION.pack(_RETURN_A, 0, 0, 0),
        )
    )
    # The kernel copies the program during the call; until then the buffer must stay alive.
    buffer = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("HP", len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, descriptor)
    except OSError:
        return False
    return True
