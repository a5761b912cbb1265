"""What create_app builds, in one place, for the views to find."""

from dataclasses import dataclass

from flask import current_app

from service.catalogue import Catalogue
from service.jobs import Jobs
from service.metrics import Metrics
from service.renderings import Renderings
from service.segmenting import Segmenter
from service.settings import ServiceSettings
from shared.storage.database import Database
from shared.storage.files import FileStore
from shared.storage.keys import Keys
from shared.storage.models import Models
from shared.storage.segmentations import SegmentationJobs
from shared.storage.workers import Workers

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
    workers: Workers
    segmentations: SegmentationJobs
    catalogue: Catalogue
    segmenter: Segmenter
    renderings: Renderings
    metrics: Metrics


def services() -> Services:
    """Those of the application that answers the current request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
