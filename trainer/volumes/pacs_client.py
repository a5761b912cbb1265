"""The DICOMweb client on a session of ours, whose own errors are not let out: they repeat what the server sent."""

import warnings
from collections.abc import Callable
from typing import TypeVar

import requests
from dicomweb_client.web import DICOMwebClient

from shared.contract.dicomweb_server import DicomwebServer
from shared.contract.errors import PacsUnavailable, ServiceError
from trainer.volumes.pacs_session import PacsSession, be_quiet

T = TypeVar("T")
_WHOLE = 1 << 40  # the client would send a file in chunks, which cannot be sent twice


class PacsClient:
    """A client on a session of ours."""

    def __init__(self, server: DicomwebServer, max_bytes: int) -> None:
        be_quiet()
        self._name = server.name
        self._session = PacsSession(server, max_bytes)
        self._client = DICOMwebClient(server.url, session=self._session, chunk_size=_WHOLE)
        self._client.set_http_retry_params(retry=False)  # the session does it, for broken connections too

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def ask(self, work: Callable[[DICOMwebClient], T]) -> T:
        """Do it; whatever the client makes of an odd answer (its errors repeat the answer) is PacsUnavailable."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # those of the client and of pydicom repeat values, too
                return work(self._client)
        except (ServiceError, MemoryError):
            raise
        except Exception as error:
            # A full disk is no fault of the server's; the errors of requests are OSErrors as well.
            if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
                raise
        # Outside of the `except`: what is chained to an error may stand in a log.
        raise PacsUnavailable(f"The DICOMweb server {self._name} sends what is not DICOMweb.")
