"""What takes things in, one part a resource, built from the settings and from what is stored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from service.intake.acceptance import Acceptance, New, Table, View
from service.intake.datasets import DatasetIntake
from service.intake.encoder_weights import EncoderWeightsCheck
from service.intake.evaluations import EvaluationIntake
from service.intake.job_end import JobEnd
from service.intake.model_import import ModelArchives
from service.intake.pacs_series import SeriesIntake
from service.intake.presets import Presets, read_presets
from service.intake.served_models import Catalogue, Workforce
from service.intake.slices import SliceIntake
from service.intake.training_runs import RunIntake
from service.intake.volumes import VolumeIntake
from service.settings import ServiceSettings
from service.stored import Stored
from service.web.uploads import Uploads, uploads_folder
from shared.contract.messages import (
    EvaluateMessage,
    Message,
    SegmentMessage,
    SegmentVolumeMessage,
    TrainMessage,
    ValidateDatasetMessage,
)
from shared.files.paths import dataset_folder, segmentation_folder
from shared.pictures.picture import DecodeLimits


@dataclass(frozen=True)
class Intake:
    """The parts that accept."""

    uploads: Uploads
    catalogue: Catalogue
    presets: Presets
    slices: SliceIntake
    volumes: VolumeIntake
    series: SeriesIntake
    job_end: JobEnd
    datasets: DatasetIntake
    runs: RunIntake
    evaluations: EvaluationIntake
    models: ModelArchives

    @classmethod
    def build(cls, settings: ServiceSettings, stored: Stored) -> Self:
        """Each part with what it needs."""
        uploads, catalogue = Uploads(uploads_folder(settings.store.data_dir)), Catalogue(stored.models)
        presets = read_presets(settings.recipes_dir)
        workforce = Workforce(stored.workers, settings.worker_seen_s)
        volumes = _volumes(settings, stored, uploads, catalogue, workforce)
        return cls(
            uploads=uploads,
            catalogue=catalogue,
            presets=presets,
            slices=_slices(settings, stored, catalogue, workforce),
            volumes=volumes,
            series=_series(settings, stored, catalogue, volumes),
            job_end=JobEnd(stored.segmentations, stored.queue),
            datasets=_datasets(settings, stored),
            runs=_runs(settings, stored, presets),
            evaluations=_evaluations(settings, stored),
            models=ModelArchives(
                stored.files,
                stored.models,
                stored.removals,
                settings.store.models_dir,
                uploads_folder(settings.store.data_dir),
                settings.max_model_bytes,
            ),
        )


def _slices(
    settings: ServiceSettings, stored: Stored, catalogue: Catalogue, workforce: Workforce
) -> SliceIntake:
    return SliceIntake(
        acceptance=_acceptance(stored, stored.segmentations, SegmentMessage, _pixels_of(stored)),
        catalogue=catalogue,
        workforce=workforce,
        files=stored.files,
        queue=stored.queue,
        limits=DecodeLimits(max_pixels=settings.max_pixels),
        max_queued=settings.max_queued,
        retention=_retention(settings),
        decoders=settings.pictures_at_once,
    )


def _volumes(
    settings: ServiceSettings, stored: Stored, uploads: Uploads, catalogue: Catalogue, workforce: Workforce
) -> VolumeIntake:
    return VolumeIntake(
        acceptance=_acceptance(stored, stored.segmentations, SegmentVolumeMessage, _pixels_of(stored)),
        segmentations=stored.segmentations,
        catalogue=catalogue,
        workforce=workforce,
        files=stored.files,
        queue=stored.queue,
        uploads=uploads,
        max_queued=settings.max_queued_volumes,
        retention=_retention(settings),
    )


def _series(
    settings: ServiceSettings, stored: Stored, catalogue: Catalogue, volumes: VolumeIntake
) -> SeriesIntake:
    return SeriesIntake(
        servers=settings.dicomweb.servers,
        catalogue=catalogue,
        acceptance=_acceptance(stored, stored.segmentations, SegmentVolumeMessage),
        volumes=volumes,
        segmentations=stored.segmentations,
        idempotency=stored.idempotency,
    )


def _datasets(settings: ServiceSettings, stored: Stored) -> DatasetIntake:
    return DatasetIntake(
        acceptance=_acceptance(
            stored, stored.datasets, ValidateDatasetMessage, lambda id: stored.files.delete_tree(dataset_folder(id))
        ),
        datasets=stored.datasets,
        files=stored.files,
        queue=stored.queue,
        settings=settings.datasets,
    )


def _runs(settings: ServiceSettings, stored: Stored, presets: Presets) -> RunIntake:
    return RunIntake(
        acceptance=_acceptance(stored, stored.runs, TrainMessage),
        runs=stored.runs,
        datasets=stored.datasets,
        queue=stored.queue,
        presets=presets,
        encoder_weights=EncoderWeightsCheck(stored.workers, settings.worker_seen_s),
        max_queued=settings.max_queued_runs,
    )


def _evaluations(settings: ServiceSettings, stored: Stored) -> EvaluationIntake:
    return EvaluationIntake(
        acceptance=_acceptance(stored, stored.evaluations, EvaluateMessage),
        evaluations=stored.evaluations,
        datasets=stored.datasets,
        models=stored.models,
        files=stored.files,
        queue=stored.queue,
        max_queued=settings.max_queued_runs,
    )


def _acceptance(
    stored: Stored,
    table: Table[New, View],
    message: Callable[[str, str], Message],
    forget: Callable[[str], None] = lambda id: None,
) -> Acceptance[New, View]:
    return Acceptance(table, message, idempotency=stored.idempotency, queue=stored.queue, forget=forget)


def _pixels_of(stored: Stored) -> Callable[[str], None]:
    """Forget what was kept of a segmentation, cached and stored."""

    def forget(id: str) -> None:
        stored.queue.withdraw(id)
        stored.files.delete_tree(segmentation_folder(id))

    return forget


def _retention(settings: ServiceSettings) -> timedelta:
    return timedelta(hours=settings.store.retention_hours)
