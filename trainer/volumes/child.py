"""`python -m trainer.volumes.child`: one volume read and its results written, as a process of its own without torch.

Files come from strangers, and their decoders are large C libraries: what breaks here breaks no worker. What a file says
of the patient stays in this process's memory and in its folder, whose one file that lasts is the DICOM SEG.

Standard input: the order (a line of JSON), then `go on` once the network's answers lie in the folder; its end means
that the worker is gone, and this process with it. Standard output: one JSON object a line.
"""

import json
import logging
import resource
import time
from pathlib import Path
from typing import Any, TextIO

from shared.contract.errors import (
    DiskFull,
    ImageError,
    JobFailed,
    OutOfMemory,
    ServiceError,
    VolumeFailed,
)
from trainer.jobs.child_side import Commands, die, give_way, leave, log_to_standard_error, own_pipes, place
from trainer.jobs.failures import NO_SPACE, kind_of
from trainer.volumes.order import VolumeOrder

_log = logging.getLogger("volumes")
PROGRESS_S = 0.5
_FETCHED = 0.5  # of the time until a volume is read, where it comes from a PACS


class Pipe:
    """Lines of JSON for the worker; progress now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._told_at = out, 0.0

    def send(self, event: str, **values: Any) -> None:
        """One line. ValueError for NaN, which is not JSON."""
        self._out.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
        self._out.flush()

    def progress(self, share: float) -> None:
        """How far this part is, 0 to 1."""
        if time.monotonic() - self._told_at >= PROGRESS_S:
            self._told_at = time.monotonic()
            self.send("progress", share=round(share, 4))


def do(order: VolumeOrder, pipe: Pipe, commands: Commands) -> None:
    """Read, wait for the network, write."""
    # Takes a second, in which the worker is listened to already.
    from trainer.volumes.export import export
    from trainer.volumes.reading import read_study

    folder = Path(order.folder)
    parts = _fetched(order, pipe)
    begun = _FETCHED if order.dicomweb else 0.0
    pipe.send("reading")
    study = read_study(parts, order, lambda share: pipe.progress(begun + (1 - begun) * share))
    pipe.send(
        "decoded",
        image=study.image,
        plane=study.grid.plane,
        channels=study.channels,
        spacing_mm=study.spacing_mm,
    )
    commands.wait_to_go_on()
    result, warnings = export(study, order, pipe.progress)
    if order.dicomweb and order.dicomweb.get("store"):
        pipe.send("storing")  # the last moment at which the job may be called off
        commands.wait_to_go_on()
        result["stored"] = _stored(order, folder)
    pipe.send("finished", result=result, warnings=warnings)


def _fetched(order: VolumeOrder, pipe: Pipe) -> dict[str, list[Path]]:
    """Field -> its files."""
    files = Path(order.folder) / "files"
    if order.dicomweb is None:
        from trainer.volumes.source import unpacked

        assert order.source is not None
        return unpacked(Path(order.source), files, order.max_bytes)
    from trainer.volumes.dicomweb import fetch_for

    return {
        "image": fetch_for(
            order.dicomweb, files, order.max_bytes, lambda share: pipe.progress(_FETCHED * share)
        )
    }


def _stored(order: VolumeOrder, folder: Path) -> dict[str, str]:
    from trainer.volumes.dicomweb import store_for
    from trainer.volumes.workspace import SEGMENTATION

    assert order.dicomweb is not None
    return store_for(order.dicomweb, folder / SEGMENTATION)


def explain(error: Exception) -> ServiceError:
    """What a person reads of why it failed: never a name, a UID or a path."""
    if isinstance(error, (ImageError, JobFailed)):
        return error
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return DiskFull("The disk of the worker is full; send the volume again later.")
    if isinstance(error, MemoryError):
        return OutOfMemory("The volume needs more memory than the worker gives one.")
    return VolumeFailed(f"The volume could not be segmented ({kind_of(error)}).")


def main() -> int:
    """Exit status 0: said how it ended."""
    commands_in, out = own_pipes()
    log_to_standard_error()
    order = VolumeOrder.from_line(commands_in.readline().decode())
    give_way(order.nice)
    resource.setrlimit(resource.RLIMIT_AS, (order.memory_bytes, order.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (order.seconds, order.seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core has all of the patient in it
    commands = Commands(commands_in, die)
    commands.listen()
    pipe = Pipe(out)
    try:
        do(order, pipe, commands)
    except Exception as error:
        failure = explain(error)
        _log.error("broke off: %s at %s", type(error).__name__, place(error))
        pipe.send("failed", code=failure.code, message=failure.detail, at=place(error))
    return 0


if __name__ == "__main__":
    leave(main())
