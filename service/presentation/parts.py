"""What shows things, one part a resource, built from the settings and from what is stored."""

from dataclasses import dataclass
from typing import Self

from service.intake.presets import Presets
from service.presentation.dataset_previews import DatasetPreviews
from service.presentation.run_events import RunEvents
from service.presentation.run_report import RunReports
from service.presentation.slice_pictures import SlicePictures
from service.presentation.volume_pictures import VolumePictures
from service.settings import ServiceSettings
from service.stored import Stored
from shared.reported import Reported, read_reported


@dataclass(frozen=True)
class Presentation:
    """The parts that show."""

    slices: SlicePictures
    volumes: VolumePictures
    datasets: DatasetPreviews
    run_events: RunEvents
    run_reports: RunReports
    reported: Reported

    @classmethod
    def build(cls, settings: ServiceSettings, stored: Stored, presets: Presets) -> Self:
        """Each part with what it needs."""
        at_once, reported = settings.pictures_at_once, read_reported(settings.recipes_dir)
        return cls(
            slices=SlicePictures(stored.files, at_once),
            volumes=VolumePictures(stored.files, at_once),
            datasets=DatasetPreviews(stored.files, settings.datasets.datasets_dir, at_once),
            # A stream holds a thread for as long as it lasts.
            run_events=RunEvents(stored.runs, most=max(1, settings.web_threads // 4), seconds=settings.sse_s),
            run_reports=RunReports(
                datasets=stored.datasets,
                models=stored.models,
                files=stored.files,
                presets=presets,
                reported=reported,
            ),
            reported=reported,
        )
