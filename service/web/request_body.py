"""Request bodies: a time limit on reading them, and an answer that reaches a client that is still sending."""

import io
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import BadRequest, RequestTimeout
from werkzeug.wsgi import ClosingIterator

STALL_S = 30.0  # no byte for this long: the client is gone or holds a thread on purpose
# Drip feeding: a byte every few seconds never stalls, but never ends either. A large file on a slow line (half a
# megabit a second) gets the time that it needs.
WHOLE_BODY_S = 120.0
LEAST_BYTES_A_SECOND = 64_000
DRAIN_S = 20.0
DRAIN_BYTES = 1 << 30
_STEP = 1 << 18

StartResponse = Callable[..., Any]
WSGI = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class TimedInput(io.RawIOBase):
    """The body of one request: raises 408 where it stalls and 400 where its framing is broken."""

    def __init__(self, raw: Any, socket: Any | None, seconds: float = WHOLE_BODY_S) -> None:
        self._raw = raw
        self._socket = socket
        self._deadline = time.monotonic() + seconds
        self._bytes_a_second: float = LEAST_BYTES_A_SECOND
        self.ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" at the end."""
        if self.ended:
            return b""
        try:
            data: bytes = self._raw.read(size)
        except TimeoutError:
            self.ended = True
            raise RequestTimeout("The body of the request did not arrive in time.") from None
        except Exception as error:  # gunicorn's parser errors have no common public base
            self.ended = True
            raise BadRequest("The body of the request broke off or is not framed as HTTP says.") from error
        self._deadline += len(data) / self._bytes_a_second
        if not data and size != 0:
            self.ended = True
        elif time.monotonic() > self._deadline:
            self.ended = True
            raise RequestTimeout("The body of the request took too long to arrive.")
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def drain(self, seconds: float = DRAIN_S, most: int = DRAIN_BYTES) -> None:
        """Read and throw away what is still coming, within limits.

        Closing a socket with unread bytes makes the kernel send a reset, which throws away the answer (a 413,
        say) that the client has not read yet (RFC 9112, 9.6).
        """
        self._deadline, self._bytes_a_second = time.monotonic() + seconds, math.inf
        if self._socket is not None:
            self._socket.settimeout(min(seconds, 5.0))
        try:
            while most > 0 and not self.ended:
                most -= len(self.read(_STEP))
        except (BadRequest, RequestTimeout):
            return


class BodyGuard:
    """WSGI middleware that puts TimedInput in front of the body and drains what the application left."""

    def __init__(self, app: WSGI, stall_s: float = STALL_S) -> None:
        self._app = app
        self._stall_s = stall_s

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH", "0") in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._app(environ, start_response)
        socket = environ.get("gunicorn.socket")
        if socket is not None:
            socket.settimeout(self._stall_s)  # gunicorn sets its own mode again after the request
        body = TimedInput(environ["wsgi.input"], socket)
        environ["wsgi.input"] = body
        # close() of the answer is called once it is on the wire: the client reads it while we empty the socket
        return ClosingIterator(self._app(environ, start_response), body.drain)
