"""One attempt at a volume: talks with its child process, and runs the slices through the network in between."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shared.contract.errors import (
    OutOfMemory,
    PixelsGone,
    UndecodableImage,
    VolumeFailed,
)
from shared.jobs.segmentations import Claim
from trainer.engines.warm_models import ServedModel
from trainer.inference.forward import Submit
from trainer.inference.job import Job
from trainer.inference.pipeline import UNLIKE_DETAIL
from trainer.jobs.child_process import ChildProcess, cause_of_death
from trainer.jobs.failures import error_of
from trainer.jobs.patience import TICK_S
from trainer.volumes.forward import Passed, pass_slices
from trainer.volumes.settings import VolumeSettings
from trainer.volumes.volume_failures import WORDS
from trainer.volumes.volume_order import VolumeChildOrder
from trainer.volumes.volume_workspace import VolumeWorkspace

_log = structlog.get_logger(__name__)
PROGRESS_S = 1.0
# How libraries end a process over a file that they cannot deal with.
BROKEN_OFF = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
# Where a job stands after it was read, and after its slices went through the network.
READ, PASSED = 0.2, 0.9

Results = tuple[dict[str, Any], list[dict[str, Any]]]  # the result and the warnings


class VolumeAttempt:
    """`check` raises where the work is not to go on; `still_ours` writes progress, and says whether the row is ours."""

    def __init__(
        self,
        job: Job,
        model: ServedModel,
        space: VolumeWorkspace,
        settings: VolumeSettings,
        *,
        forward: Submit,
        check: Callable[[], None],
        still_ours: Callable[[float], bool],
    ) -> None:
        self._job, self._model, self._space, self._settings = job, model, space, settings
        self._forward, self._check, self._still_ours = forward, check, still_ours
        self._deadline = self._written_at = time.monotonic()
        self._deadline += settings.timeout_s
        self._has_begun_to_read = False

    def run(self) -> Results:
        """To the end; the results lie in the workspace. Raises ServiceError, and what `check` raises."""
        claim = self._job.claim
        source = None if claim.image.get("source") else self._space.source()
        if source is not None and not source.exists():
            raise PixelsGone("The files of this job are no longer stored; send them again.")
        with ChildProcess(self._settings.command, self._order(claim, source), self._space.log) as process:
            _log.info("volume_started", job_id=claim.id, request_id=claim.request_id, pid=process.pid)
            return self._follow(process)

    def _follow(self, process: ChildProcess) -> Results:
        job, started = self._job, time.perf_counter()
        events = process.events(self._look)
        decoded = self._hear(process, events, "decoded", 0, READ)
        job.decode_ms = (time.perf_counter() - started) * 1000
        job.image = {**job.claim.image, **decoded["image"]}
        passed = pass_slices(
            self._model,
            self._space.folder,
            tuple(decoded["channels"]),
            decoded["plane"],
            tuple(decoded["spacing_mm"]),
            submit=self._forward,
            on_slice=lambda done, of: self._tell(READ + (PASSED - READ) * done / of),
        )
        job.preprocess_ms, job.forward_ms = passed.preprocess_ms, passed.forward_ms
        started = time.perf_counter()
        process.go_on()
        finished = self._hear(process, events, "finished", PASSED, 1)
        job.postprocess_ms = passed.postprocess_ms + (time.perf_counter() - started) * 1000
        process.wait(TICK_S)
        return finished["result"], [*finished["warnings"], *_unlike(passed)]

    def _hear(
        self, process: ChildProcess, events: Iterator[dict[str, Any]], wanted: str, begin: float, end: float
    ) -> dict[str, Any]:
        """What the child says under this name; progress in between goes from `begin` to `end`."""
        for event in events:
            match event["event"]:
                case "progress":
                    self._tell(begin + (end - begin) * event["share"])
                case "reading":
                    self._has_begun_to_read = True
                case "storing":
                    self._let_store(process)
                case "failed":
                    _log.warning(
                        "volume_refused", job_id=self._job.claim.id, code=event["code"], at=event.get("at")
                    )
                    raise error_of(event["code"], event["message"], VolumeFailed)
                case said if said == wanted:
                    return event
        raise self._died(process, wanted)

    def _let_store(self, process: ChildProcess) -> None:
        """Once the row itself says that the job is ours: one that was deleted a moment ago must not reach a PACS."""
        while True:
            self._look()
            with suppress(SQLAlchemyError):  # away for a while
                if self._still_ours(PASSED):
                    return process.go_on()
            time.sleep(TICK_S)

    def _look(self) -> None:
        self._check()
        if time.monotonic() > self._deadline:
            raise VolumeFailed(
                f"The volume took longer than {self._settings.timeout_s} seconds, which is all that one may take."
            )

    def _tell(self, share: float) -> None:
        self._look()
        if time.monotonic() - self._written_at >= PROGRESS_S:
            self._written_at = time.monotonic()
            with suppress(SQLAlchemyError):  # no reason to stop
                self._still_ours(round(min(share, 0.999), 3))

    def _died(self, process: ChildProcess, wanted: str) -> Exception:
        """Why the child is gone without a word: hostile files can break a decoder's process, and no more than that.

        ChildProcessError, an OSError, where it is nobody's fault that is known: another attempt may go well.
        """
        status = process.wait(TICK_S)
        _log.warning("volume_process_died", job_id=self._job.claim.id, status=status, wanted=wanted)
        if process.was_killed_for_memory(status):
            return OutOfMemory(WORDS.killed_for_memory)
        if status == -signal.SIGXCPU:
            return VolumeFailed(f"The volume took more than {self._settings.timeout_s} seconds of computing.")
        if wanted == "decoded" and self._has_begun_to_read and -status in BROKEN_OFF:
            return UndecodableImage("The volume is damaged: the decoder broke off while it was read.")
        return ChildProcessError(cause_of_death(status))

    def _order(self, claim: Claim, source: Path | None) -> VolumeChildOrder:
        image, model, card, settings = claim.image, self._model, self._model.card, self._settings
        return VolumeChildOrder(
            folder=str(self._space.folder),
            source=None if source is None else str(source),
            dicomweb=image.get("source"),
            in_channels=card.in_channels,
            channels=card.channels,
            labels=model.classes,
            model={
                "id": model.id,
                "version": card.version,
                "architecture": card.architecture,
                "weights_sha256": card.weights.sha256,
            },
            threshold=model.threshold if claim.threshold is None else claim.threshold,
            min_region_pixels=model.min_region_pixels,
            image_size=model.preprocessing.image_size,
            pixel_spacing_mm=image.get("pixel_spacing_mm"),
            slice_spacing_mm=image.get("slice_spacing_mm"),
            sequence_order=image.get("sequence_order"),
            seed=claim.id,
            made=claim.created_at.isoformat(),
            max_voxels=settings.max_voxels,
            max_bytes=settings.max_bytes,
            memory_bytes=settings.memory_bytes,
            seconds=settings.timeout_s,
            nice=settings.nice,
        )


def _unlike(passed: Passed) -> list[dict[str, Any]]:
    if not passed.is_unlike:
        return []
    counted = f" So it is with {passed.unlike} of the {passed.shown} slices that show something."
    return [{"code": "unlike_training_data", "detail": UNLIKE_DETAIL + counted}]
