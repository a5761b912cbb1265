"""What the result page of a volume shows: one slice, its neighbours, and those with tumour."""

from dataclasses import dataclass

from service.presentation.slice_pictures import Place
from service.presentation.volume_pictures import slice_of, slices_with_tumour
from shared.jobs.segmentations import SegmentationView


@dataclass(frozen=True)
class VolumeView:
    """The slice that is shown, and where one can go from it."""

    slice: int
    slices: int
    with_tumour: list[int]
    area_pixels: int
    area_mm2: float | None

    @property
    def previous(self) -> int | None:
        """The slice before; None at the first."""
        return self.slice - 1 if self.slice else None

    @property
    def next(self) -> int | None:
        """The slice after; None at the last."""
        return self.slice + 1 if self.slice + 1 < self.slices else None


def view_of(job: SegmentationView, wanted: int | None) -> VolumeView:
    """The wanted slice, else the one that shows most; raises InvalidFields for one that is not there."""
    index = slice_of(job, Place(wanted))
    assert job.result is not None
    measured = job.result["slices"][index]
    return VolumeView(
        index,
        job.image["slices"],
        slices_with_tumour(job),
        measured["area_pixels"],
        measured["area_mm2"],
    )
