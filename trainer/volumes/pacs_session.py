"""HTTP to one DICOMweb server: only there, never for ever, never too much, and quiet about whose pictures they are."""

import logging
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from shared.contract.config import ConfigError
from shared.contract.dicomweb_server import DicomwebServer, read_secret
from shared.contract.errors import (
    JobFailed,
    PacsRefused,
    PacsUnavailable,
    SeriesNotFound,
    ServiceError,
    TooManyPixels,
)

CONNECT_S = 10.0
# A server that sends a byte now and then is never silent for long: an answer may take so many times `timeout_s`.
PATIENCE = 20
BACKOFF_S, MAX_BACKOFF_S = 0.5, 10.0
TOO_LARGE = "The series has more bytes than are taken."
_CHUNK = 256 * 1024
_LOUD = ("dicomweb_client", "urllib3", "requests", "retrying", "pydicom", "charset_normalizer")
_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_NONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class PacsSession(requests.Session):
    """A session for DICOMwebClient. Raises PacsUnavailable, PacsRefused, SeriesNotFound, TooManyPixels.

    Answers are read to their end here, so that a retry covers the body too. `left` bytes may still come in.
    """

    def __init__(self, server: DicomwebServer, max_bytes: int) -> None:
        super().__init__()
        self._server = server
        self.left = max_bytes
        self.trust_env = (
            False  # no proxy, no .netrc, no certificates that the operator of this service did not name
        )
        self.verify = server.ca_file or True
        self.headers["Accept-Encoding"] = "identity"  # what unpacks to much more cannot be counted
        self._authenticate()

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, and again after a pause where no answer came; the request must be one that does no harm twice."""
        if not self._server.allows(request.url or ""):
            raise PacsRefused(f"{self._name} may not be asked: its host is not allowed.")
        request.headers.pop("Host", None)  # the client leaves the port out
        # The environment's settings are merged into these only by `request`, which `trust_env` keeps from it.
        kwargs |= {"stream": True, "allow_redirects": False}
        kwargs["timeout"] = (min(CONNECT_S, self._server.timeout_s), self._server.timeout_s)
        for attempt in range(self._server.retries + 1):
            if attempt:
                time.sleep(min(BACKOFF_S * 2 ** (attempt - 1), MAX_BACKOFF_S))
            answer, why = self._once(request, kwargs)
            if answer is not None:
                return answer
        raise PacsUnavailable(f"{self._name} cannot be reached: {why}.")

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None ever: else `requests` would read the whole answer of a redirect, of whatever length."""

    @property
    def _name(self) -> str:
        return f"The DICOMweb server {self._server.name}"

    def _authenticate(self) -> None:
        """Read now, so that a password may be changed without a restart."""
        try:
            if self._server.token_file is not None:
                self.headers["Authorization"] = f"Bearer {read_secret(self._server.token_file)}"
            elif self._server.username is not None and self._server.password_file is not None:
                password = read_secret(self._server.password_file)
                # As bytes: requests would write a text as Latin-1.
                self.auth = HTTPBasicAuth(self._server.username.encode(), password.encode())
        except ConfigError as error:
            # From outside of the `except`: what is chained to an error may stand in a log.
            problem = str(error)
        else:
            return
        raise PacsRefused(f"{self._name} was not asked: {problem}.")

    def _once(
        self, request: requests.PreparedRequest, kwargs: dict[str, Any]
    ) -> tuple[requests.Response | None, str]:
        """The whole answer; or None and why there is none that is worth having. Requests' errors show addresses."""
        failure: ServiceError | None = None
        try:
            answer = super().send(request, **kwargs)
            with answer:
                if answer.status_code >= 500 or answer.status_code in _AGAIN:
                    return None, f"it answers HTTP {answer.status_code}"
                failure = self._verdict(request, answer) or self._read(answer)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            return None, "it did not answer in time"
        except requests.exceptions.SSLError:
            return None, "its certificate is not trusted, or TLS broke off"
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            return None, "there is no connection, or it broke off"
        if failure is not None:
            raise failure
        return answer, ""

    def _verdict(self, request: requests.PreparedRequest, answer: requests.Response) -> JobFailed | None:
        """What the status says that no retry would change."""
        status = answer.status_code
        if 300 <= status < 400:
            return PacsUnavailable(f"{self._name} sends elsewhere (HTTP {status}), where this does not go.")
        if status in _REFUSED:
            return PacsRefused(f"{self._name} refuses our credentials (HTTP {status}).")
        if status in _NONE and request.method == "GET":
            return no_such_series(self._server)
        # A conflict on storing may mean that it is there already: that is for the caller to find out.
        if status >= 400 and not (status == HTTPStatus.CONFLICT and request.method == "POST"):
            return PacsRefused(f"{self._name} refuses the request (HTTP {status}).")
        return None

    def _read(self, answer: requests.Response) -> ServiceError | None:
        """Read the body, counting; from then on it is `answer.content`."""
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            return PacsUnavailable(f"{self._name} packs its answers, although it was asked not to.")
        counted = _Counted(answer.raw, self.left, time.monotonic() + PATIENCE * self._server.timeout_s)
        answer.raw = counted
        taken = len(answer.content)
        if counted.overrun:
            return TooManyPixels(TOO_LARGE)
        if counted.late:
            return PacsUnavailable(f"{self._name} takes too long for an answer.")
        self.left -= taken
        return None


class _Counted:
    """The body of an answer, which ends early when it is too long or takes too long."""

    def __init__(self, raw: Any, limit: int, deadline: float) -> None:
        self._raw, self._limit, self._deadline = raw, limit, deadline
        self.overrun = self.late = False

    def stream(self, amount: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:
        """Chunks, as of urllib3's response."""
        # `read` would wait for a whole chunk, however slowly it comes.
        while chunk := self._raw.read1(_CHUNK, decode_content=False):
            self._limit -= len(chunk)
            self.overrun = self._limit < 0
            self.late = time.monotonic() > self._deadline
            if self.overrun or self.late:
                self._raw.close()
                return
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def no_such_series(server: DicomwebServer) -> SeriesNotFound:
    """What is raised for a series that is not there."""
    return SeriesNotFound(f"The DICOMweb server {server.name} has no such series.")


def be_quiet() -> None:
    """Silence what would write addresses, and so UIDs, into logs: for a process that does nothing else."""
    for name in _LOUD:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
