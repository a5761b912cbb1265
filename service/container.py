"""What create_app builds, in one place, for the views to find."""

from dataclasses import dataclass

from flask import current_app

from service.intake.datasets import DatasetIntake
from service.intake.evaluations import Evaluating
from service.intake.model_import import ModelArchives
from service.intake.pacs_series import Fetching
from service.intake.presets import Presets
from service.intake.served_models import Catalogue
from service.intake.slices import Segmenter
from service.intake.training_runs import Training
from service.intake.volumes import VolumeIntake
from service.job_queue import Jobs
from service.presentation.dataset_previews import Previews
from service.presentation.run_events import Streams
from service.presentation.run_report import RunReports
from service.presentation.slice_pictures import Renderings
from service.presentation.volume_pictures import VolumeRenderings
from service.settings import ServiceSettings
from service.web.metrics import Metrics
from service.web.uploads import Uploads
from shared.database.database import Database
from shared.database.keys import Keys
from shared.database.models import Models
from shared.database.workers import Workers
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets
from shared.jobs.evaluations import Evaluations
from shared.jobs.last_failures import Failures
from shared.jobs.segmentations import SegmentationJobs
from shared.jobs.throughput import Throughput
from shared.jobs.training_runs import TrainingRuns
from shared.reported import Reported

EXTENSION = "services"


@dataclass(frozen=True)
class Services:
    """The parts of a running API."""

    settings: ServiceSettings
    database: Database
    files: FileStore
    jobs: Jobs
    keys: Keys
    models: Models
    archives: ModelArchives
    workers: Workers
    throughput: Throughput
    failures: Failures
    segmentations: SegmentationJobs
    datasets: Datasets
    dataset_intake: DatasetIntake
    previews: Previews
    uploads: Uploads
    catalogue: Catalogue
    segmenter: Segmenter
    volumes: VolumeIntake
    fetching: Fetching
    renderings: Renderings
    volume_renderings: VolumeRenderings
    runs: TrainingRuns
    presets: Presets
    reported: Reported
    training: Training
    streams: Streams
    run_reports: RunReports
    evaluations: Evaluations
    evaluating: Evaluating
    metrics: Metrics


def services() -> Services:
    """Those of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
