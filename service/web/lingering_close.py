"""Closing a connection so that the last answer arrives (RFC 9112, 9.6)."""

import contextlib
import socket
import time

LINGER_S = 2.0
LINGER_BYTES = 64 * 1024 * 1024


def linger(sock: socket.socket, seconds: float = LINGER_S, most: int = LINGER_BYTES) -> None:
    """Say that no more comes, throw away what the client still sends within limits, then shut both ways.

    The file descriptor stays open: its owner closes it, and finds nothing left to wait for.
    """
    deadline = time.monotonic() + seconds
    with contextlib.suppress(OSError):  # the client is gone already: that is where we wanted to be
        sock.shutdown(socket.SHUT_WR)
        while most > 0 and (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            data = sock.recv(65536)
            if not data:
                break
            most -= len(data)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
