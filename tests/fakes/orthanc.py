"""A real Orthanc with its DICOMweb plugin, on a free port of this machine, with its data in a temporary folder."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "segmentation", "correct horse"


def program() -> str:
    """The path of Orthanc; skips the test where it is not installed."""
    found = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None or not PLUGIN.exists():
        pytest.skip("needs Debian's packages orthanc and orthanc-dicomweb")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Orthanc:
    """One that runs: its addresses, its settings for ours, and its REST API."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.address = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (USER, PASSWORD)

    def settings(self, **more: Any) -> dict[str, str]:
        """DICOMWEB_SERVERS_FILE and DICOMWEB_ALLOWED_HOSTS, with this server as `orthanc`."""
        return settings_of(self.folder, orthanc=self.table(**more))

    def table(self, **more: Any) -> dict[str, Any]:
        """Its entry in DICOMWEB_SERVERS_FILE."""
        password = self.folder / "password"
        password.write_text(f"{PASSWORD}\n")
        return {
            "url": f"{self.address}/dicom-web",
            "username": USER,
            "password_file": str(password),
            **more,
        }

    def get(self, path: str) -> Any:
        """JSON of its REST API."""
        answer = self.session.get(self.address + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def upload(self, content: bytes) -> str:
        """Take one DICOM file in; its id there."""
        answer = self.session.post(f"{self.address}/instances", data=content, timeout=30)
        answer.raise_for_status()
        return answer.json()["ID"]

    def instances(self, **tags: str) -> list[dict[str, Any]]:
        """`MainDicomTags` and ID of the instances with these values (names of tags as Orthanc's /tools/find has)."""
        query = {"Level": "Instance", "Query": tags, "Expand": True}
        answer = self.session.post(f"{self.address}/tools/find", json=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def file(self, instance: str) -> bytes:
        """The DICOM file of an instance."""
        answer = self.session.get(f"{self.address}/instances/{instance}/file", timeout=30)
        answer.raise_for_status()
        return answer.content

    def log(self) -> str:
        return (self.folder / "orthanc.log").read_text(errors="replace")


def settings_of(folder: Path, **tables: dict[str, Any]) -> dict[str, str]:
    """DICOMWEB_SERVERS_FILE, written into the folder, and DICOMWEB_ALLOWED_HOSTS for these servers."""
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[servers.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    file = folder / "servers.toml"
    file.write_text("\n".join(lines))
    hosts = [urlsplit(table["url"]).netloc for table in tables.values()]
    return {"DICOMWEB_SERVERS_FILE": str(file), "DICOMWEB_ALLOWED_HOSTS": ",".join(hosts)}


@contextmanager
def orthanc(folder: Path, **settings: Any) -> Iterator[Orthanc]:
    """Started, with a password, until the end of the block; `settings` are Orthanc's own."""
    command, port, dicom_port = program(), free_port(), free_port()
    chosen = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomPort": dicom_port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(chosen))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([command, str(file)], stdout=log, stderr=subprocess.STDOUT)
    server = Orthanc(folder, port)
    try:
        _wait(server, process)
        yield server
    finally:
        server.session.close()
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Orthanc, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.get("/system")
            return
        except requests.RequestException as error:
            assert process.poll() is None, server.log()
            assert time.monotonic() < deadline, f"{error}\n{server.log()}"
            time.sleep(0.1)
