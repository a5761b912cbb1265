"""A DICOMweb server as good or as bad as a test wants it, and a tiny MR series for it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.contract.dicomweb_server import DicomwebServer
from tests.fakes import dicom

STUDY, SERIES = "1.2.826.0.1.3680043.8.498.71", "1.2.826.0.1.3680043.8.498.72"


def slice_file(number: int = 0, *, series: str = SERIES, study: str = STUDY, modality: str = "MR") -> bytes:
    """One slice of 24 x 20 pixels as a DICOM file."""
    (dataset,) = dicom.series(
        dicom.head((1, 24, 20), seed=number),
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
        SOPInstanceUID=f"{series}.{number + 1}",
        InstanceNumber=number + 1,
        ImagePositionPatient=[-8, -12, 3 * number],
        Modality=modality,
    )
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dicom.as_bytes(dataset)


class FakePacs:
    """What it has, what it was asked, and what it does instead of answering: `faults`, one for each request."""

    def __init__(self) -> None:
        self.files = {f"{SERIES}.{number + 1}": slice_file(number) for number in range(3)}
        self.modality: str | None = "MR"
        self.page = 1000
        self.faults: list[Callable[[Handler], None]] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.stored: list[bytes] = []
        self.address = ""
        self.over = threading.Event()

    def server(self, **settings: Any) -> DicomwebServer:
        """The settings to reach it; impatient."""
        host = self.address.removeprefix("http://")
        chosen = {
            "url": f"{self.address}/dicom-web",
            "allowed_hosts": (host,),
            "timeout_s": 0.4,
            "retries": 2,
        }
        return DicomwebServer(name="pacs", **{**chosen, **settings})

    def series(self) -> list[dict[str, Any]]:
        entry = {"0020000E": {"vr": "UI", "Value": [SERIES]}}
        if self.modality:
            entry["00080060"] = {"vr": "CS", "Value": [self.modality]}
        return [entry]

    def instances(self, offset: int, limit: int) -> list[dict[str, Any]]:
        found = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in self.files]
        return found[offset : offset + min(limit, self.page)]


class Handler(BaseHTTPRequestHandler):
    """QIDO-RS, WADO-RS and STOW-RS, as far as it goes."""

    protocol_version = "HTTP/1.1"
    pacs: FakePacs

    def do_GET(self) -> None:
        self.pacs.asked.append(("GET", self.path, dict(self.headers)))
        if not self._fault():
            self._get()

    def do_POST(self) -> None:
        self.pacs.asked.append(("POST", self.path, dict(self.headers)))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._fault():
            self.pacs.stored.append(body)
            self.json(200, {})

    def _fault(self) -> bool:
        if not self.pacs.faults:
            return False
        self.pacs.faults.pop(0)(self)
        return True

    def _get(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        if path.endswith("/instances"):
            offset, limit = int(asked.get("offset", "0")), int(asked.get("limit", "1000"))
            self.json(200, self.pacs.instances(offset, limit))
        elif path.endswith("/series"):
            self.json(200, self.pacs.series())
        elif (uid := path.rsplit("/", 1)[1]) in self.pacs.files:
            self.part(self.pacs.files[uid])
        else:
            self.json(404, {})

    def json(self, status: int, body: Any) -> None:
        self.bytes(status, json.dumps(body).encode(), "application/dicom+json")

    def part(self, content: bytes) -> None:
        body = b"--line\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--line--\r\n"
        self.bytes(200, body, 'multipart/related; type="application/dicom"; boundary=line')

    def bytes(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at `asked`."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that go away are part of the tests."""


def status(code: int, body: Any = None, **headers: str) -> Callable[[Handler], None]:
    """A fault: this status."""
    return lambda handler: handler.bytes(code, json.dumps(body).encode(), "application/dicom+json", **headers)


def hang(handler: Handler) -> None:
    """A fault: no answer."""
    handler.pacs.over.wait(20)
    handler.close_connection = True


def drop(handler: Handler) -> None:
    """A fault: the connection breaks off in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"[")
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """A fault: a byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    try:
        while not handler.pacs.over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True


@contextmanager
def fake_pacs() -> Iterator[FakePacs]:
    """It runs until the end of the block."""
    pacs = FakePacs()
    server = Server(("127.0.0.1", 0), type("Ours", (Handler,), {"pacs": pacs}))
    pacs.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield pacs
    finally:
        pacs.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def secrets_in(text: str) -> list[str]:
    """UIDs and addresses in a text that should have none."""
    return re.findall(r"1\.2\.8[0-9.]+|https?://\S+|127\.0\.0\.1", text)
