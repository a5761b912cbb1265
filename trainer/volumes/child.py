"""`python -m trainer.volumes.child`: one volume read and its results written, as a process of its own without torch.

Files come from strangers, and their decoders are large C libraries: what breaks here breaks no worker. What a file says
of the patient stays in this process's memory and in its folder, whose one file that lasts is the DICOM SEG.

Once it is read, the process waits for `go on`: then the network's answers lie in the folder (see
`trainer.jobs.child_main`).
"""

import resource
from pathlib import Path

from trainer.jobs.child_main import child_main
from trainer.jobs.child_side import EventPipe, leave
from trainer.volumes.volume_failures import explain
from trainer.volumes.volume_order import VolumeChildOrder

PROGRESS_S = 0.5
_FETCHED = 0.5  # of the time until a volume is read, where it comes from a PACS


def do(order: VolumeChildOrder, pipe: EventPipe) -> None:
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
    pipe.commands.wait_to_go_on()
    result, warnings = export(study, order, pipe.progress)
    if order.dicomweb and order.dicomweb.get("store"):
        pipe.send("storing")  # the last moment at which the job may be called off
        pipe.commands.wait_to_go_on()
        result["stored"] = _stored(order, folder)
    pipe.send("finished", result=result, warnings=warnings)


def _fetched(order: VolumeChildOrder, pipe: EventPipe) -> dict[str, list[Path]]:
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


def _stored(order: VolumeChildOrder, folder: Path) -> dict[str, str]:
    from trainer.volumes.dicomweb import store_for
    from trainer.volumes.volume_workspace import SEGMENTATION

    assert order.dicomweb is not None
    return store_for(order.dicomweb, folder / SEGMENTATION)


def limit(order: VolumeChildOrder) -> None:
    """Bound what hostile files can make of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (order.memory_bytes, order.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (order.seconds, order.seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core has all of the patient in it


if __name__ == "__main__":
    leave(child_main(VolumeChildOrder, do, explain, limit=limit, progress_s=PROGRESS_S))
