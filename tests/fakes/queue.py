"""A queue without Redis, and a worker without a network that finishes jobs through the storage, as a real one does."""

import json
from collections import deque
from typing import Any

import cv2
import numpy as np

from shared.contract.errors import QueueUnavailable
from shared.contract.messages import Message, SegmentMessage, SegmentVolumeMessage
from shared.contract.names import Queue, SegmentationKind
from shared.files.npy import from_npy
from shared.files.paths import pixels_path, probability_path
from shared.files.store import FileStore
from shared.jobs.segmentations import Claim, SegmentationJobs
from shared.masks import rle
from shared.masks.measure import measure
from shared.pictures.render import png
from tests.fakes.volume_worker import VolumeMade, make_volume

WORKER = "fake-worker"
THRESHOLD = 0.5


class FakeWorker:
    """Calls a bright square in the middle a tumour. Volumes are what `volume` says, or left alone."""

    def __init__(self, rows: SegmentationJobs, files: FileStore) -> None:
        self._rows, self._files = rows, files
        self.volume: VolumeMade | None = None

    def work(self, message: Message) -> dict[str, Any] | None:
        """Do the job of the message; what a worker would push, or None if the job is not to be had."""
        claims = self._rows.claim([message.job_id], WORKER, 10)
        if not claims:
            return None
        if claims[0].kind == SegmentationKind.PICTURE:
            return self._finish(claims[0])
        return make_volume(self.volume or VolumeMade(), claims[0], self._rows, self._files)

    def does(self, message: Message) -> bool:
        """Whether such work is done here."""
        return isinstance(message, SegmentMessage) or (
            isinstance(message, SegmentVolumeMessage) and self.volume is not None
        )

    def _finish(self, claim: Claim) -> dict[str, Any] | None:
        pixels = from_npy(self._files.read(pixels_path(claim.id)))
        probability = np.zeros(pixels.shape[:2], np.uint8)
        height, width = probability.shape
        cv2.rectangle(probability, (width // 4, height // 4), (width // 2, height // 2), 230, -1)
        threshold = claim.threshold or THRESHOLD
        mask = probability >= threshold * 255
        spacing = claim.image["pixel_spacing_mm"]
        result = measure(mask, probability, spacing, threshold=threshold, min_region_pixels=1)
        result["mask"] = rle.encode(mask)
        self._files.write(probability_path(claim.id), png(probability))
        timings = {"decode": claim.image["decode_ms"], "queue": 1.0, "forward": 2.0, "total": 4.0}
        if not self._rows.finish(claim, result, timings, []):
            return None
        row = self._rows.get(claim.id)
        return {
            "status": row.status.value,
            "finished_at": row.finished_at.isoformat() if row.finished_at else None,
            "result": result,
            "warnings": [],
            "timings": timings,
            "error": None,
        }


class FakeJobs:
    """The queue in memory: messages wait until `work`, or are done at once while `worker` is set and not `paused`."""

    def __init__(self) -> None:
        self.worker: FakeWorker | None = None
        self.paused = False
        self.down = False
        self.send_fails = False
        self.backlog = 0
        self.pixels: dict[str, bytes] = {}
        self.sent: deque[Message] = deque()
        self.woken: list[Message] = []  # what nobody works on here: the queue `training`, volumes
        self.waits: list[float] = []
        self._pushed: dict[str, dict[str, Any]] = {}

    def waiting(self, queue: Queue = Queue.INFERENCE) -> int:
        self.ping()
        return len(self.woken) if queue is Queue.TRAINING else self.backlog + len(self.sent)

    def offer(self, job_id: str, pixels: bytes) -> int:
        self.ping()
        self.pixels[job_id] = pixels
        return self.backlog + len(self.sent)

    def withdraw(self, job_id: str) -> None:
        self.pixels.pop(job_id, None)

    def send(self, message: Message) -> None:
        self.ping()
        if self.send_fails:
            raise QueueUnavailable
        if not isinstance(message, SegmentMessage) and not (self.worker and self.worker.does(message)):
            self.woken.append(message)
            return
        self.sent.append(message)
        if not self.paused:
            self.work()

    def work(self) -> None:
        """Do all that waits."""
        while self.sent and self.worker is not None:
            message = self.sent.popleft()
            said = self.worker.work(message)
            if said is not None:
                self._pushed[message.job_id] = json.loads(json.dumps(said))

    def wait(self, job_id: str, seconds: float) -> dict[str, Any] | None:
        self.waits.append(seconds)
        return self._pushed.pop(job_id, None)

    def ping(self) -> None:
        if self.down:
            raise QueueUnavailable
