"""Clients in a closed loop: each posts a slice, reads the answer, posts the next."""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.embedded import Service

_BOUNDARY = "benchmark-5d1f0c"
_HEADERS = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}


@dataclass(frozen=True)
class Load:
    """One row of the table; processor milliseconds a slice by role, and the mean of the answers' `timings_ms`."""

    clients: int
    done: int
    per_s: float
    p50_ms: float
    p95_ms: float
    cpu_ms: dict[str, float]
    timings_ms: dict[str, float]


@dataclass
class _Client:
    service: Service
    bodies: Sequence[bytes]
    number: int
    until: float
    latencies: list[float] = field(default_factory=list)
    timings: list[dict[str, float]] = field(default_factory=list)
    trouble: str = ""

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.service.host, self.service.port, timeout=60)
        try:
            while time.perf_counter() < self.until and not self.trouble:
                self._post(connection)
        except (OSError, http.client.HTTPException) as error:
            self.trouble = f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection) -> None:
        body = self.bodies[(self.number + 7 * len(self.latencies)) % len(self.bodies)]
        started = time.perf_counter()
        connection.request("POST", "/v1/segmentations", body, _HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        self.latencies.append(time.perf_counter() - started)
        if answer.status != 201:
            self.trouble = f"status {answer.status}: {text[:300]!r}"
        elif len(self.latencies) % 8 == 1:  # reading JSON costs the clients' share of the processor
            document = json.loads(text)
            self.timings.append(document["timings_ms"])
            if document["status"] != "succeeded":
                self.trouble = f"a job ended as {document['status']}: {document['error']}"


def measure(service: Service, files: Sequence[bytes], clients: int, seconds: float) -> Load:
    """`clients` at a time for so long; raises SystemExit when an answer is not what it should be."""
    bodies = [_multipart(file) for file in files]
    cpu, own, started = service.cpu_s(), time.process_time(), time.perf_counter()
    all_clients = [_Client(service, bodies, number, started + seconds) for number in range(clients)]
    threads = [threading.Thread(target=client.run) for client in all_clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - started
    spent = {role: after - cpu[role] for role, after in service.cpu_s().items()}
    spent["clients"] = time.process_time() - own
    return _summary(all_clients, wall, spent)


def _summary(clients: Sequence[_Client], wall: float, spent: dict[str, float]) -> Load:
    trouble = [client.trouble for client in clients if client.trouble]
    if trouble:
        raise SystemExit(f"error: {trouble[0]}")
    latencies = np.concatenate([client.latencies for client in clients]) * 1000
    timings = [timing for client in clients for timing in client.timings]
    return Load(
        clients=len(clients),
        done=len(latencies),
        per_s=len(latencies) / wall,
        p50_ms=float(np.percentile(latencies, 50)),
        p95_ms=float(np.percentile(latencies, 95)),
        cpu_ms={role: seconds * 1000 / len(latencies) for role, seconds in spent.items()},
        timings_ms={name: float(np.mean([timing[name] for timing in timings])) for name in timings[0]},
    )


def _multipart(file: bytes) -> bytes:
    # The longest wait: a queue of 64 on a slow machine is measured, not answered 202.
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="wait"\r\n\r\n20\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="slice.tif"\r\n'
        "Content-Type: image/tiff\r\n\r\n"
    )
    return head.encode() + file + f"\r\n--{_BOUNDARY}--\r\n".encode()
