"""The API as a client sees it over HTTP, patient where a service is expected to be away now and then."""

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import requests

from tests.fakes.launch import until
from tests.fakes.study import make_study


def zip_of(folder: Path) -> bytes:
    """The folder's files as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


class Client:
    """`patience_s`: how long an answer that is none (no connection, 5xx) is asked for again."""

    def __init__(self, address: str, patience_s: float = 0.0) -> None:
        self.address, self.patience_s = address, patience_s
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request; sent again while nobody is there, as a client with an Idempotency-Key would."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                answer = self.session.request(method, self.address + path, timeout=30, **more)
                if answer.status_code < 500 or time.monotonic() > deadline:
                    return answer
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.3)

    def get(self, path: str) -> Any:
        """JSON of a 200."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **more: Any) -> Any:
        """JSON of a 2xx."""
        answer = self.ask("POST", path, **more)
        assert answer.ok, answer.text
        return answer.json()

    def upload_study(self, folder: Path, name: str = "study", **shape: int) -> str:
        """A tiny study as a dataset that is ready; its id."""
        content = zip_of(make_study(folder, **shape))
        made = self.post("/v1/datasets", files={"file": ("study.zip", content)}, data={"name": name})
        until(lambda: self.get(f"/v1/datasets/{made['id']}")["status"] != "validating", 60, "the validation")
        assert self.get(f"/v1/datasets/{made['id']}")["status"] == "ready"
        return made["id"]

    def start_run(self, key: str, **specification: Any) -> str:
        """Queue a run; its id. `key` is the Idempotency-Key."""
        return self.post("/v1/training-runs", json=specification, headers={"Idempotency-Key": key})["id"]

    def run(self, run_id: str) -> dict[str, Any]:
        """The run as it is now."""
        return self.get(f"/v1/training-runs/{run_id}")

    def wait_for(self, run_id: str, *statuses: str, timeout_s: float = 120) -> dict[str, Any]:
        """The run once it has one of these statuses."""
        return until(
            lambda: (run := self.run(run_id))["status"] in statuses and run,
            timeout_s,
            f"{statuses} (it is {json.dumps(self.run(run_id)['progress'])})",
        )

    def weights(self, model_id: str) -> bytes:
        """The weights file out of the model's archive."""
        answer = self.ask("GET", f"/v1/models/{model_id}/archive")
        assert answer.status_code == 200, answer.text
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return archive.read("weights.safetensors")
