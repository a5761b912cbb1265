"""create_app: the one place that builds the API and wires its parts together."""

import os
from datetime import timedelta
from pathlib import Path

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from service.api import (
    aliases,
    catalog,
    datasets,
    dicomweb,
    evaluations,
    health,
    models,
    renderings,
    segmentations,
    system,
    training_files,
    training_runs,
)
from service.container import EXTENSION, Services
from service.intake.acceptance import Acceptance
from service.intake.datasets import DatasetIntake
from service.intake.encoder_weights import EncoderWeights
from service.intake.evaluations import Evaluating
from service.intake.model_import import ModelArchives
from service.intake.pacs_series import Fetching
from service.intake.presets import read_presets
from service.intake.served_models import Catalogue, Workforce
from service.intake.slices import Segmenter
from service.intake.training_runs import Training
from service.intake.volumes import VolumeIntake
from service.job_queue import Jobs, RedisJobs
from service.pages import api_docs, assets, login, script_pages, segmentation_pages
from service.presentation.dataset_previews import Previews
from service.presentation.run_events import Streams
from service.presentation.run_report import RunReports
from service.presentation.slice_pictures import Renderings
from service.presentation.volume_pictures import VolumeRenderings
from service.settings import ServiceSettings
from service.web import allowed_hosts, auth, logs, problems, security_headers
from service.web.metrics import Metrics
from service.web.multipart import MAX_FIELD_BYTES, MAX_PARTS, StrictRequest
from service.web.request_body import BodyGuard
from service.web.uploads import Uploads, uploads_folder
from shared.database.database import Database
from shared.database.idempotency import Idempotency
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
from shared.pictures.picture import DecodeLimits
from shared.pictures.proportions import true_size
from shared.reported import read_reported

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
BLUEPRINTS = (
    segmentations,
    renderings,
    dicomweb,
    catalog,
    datasets,
    training_runs,
    training_files,
    models,
    evaluations,
    aliases,
    health,
    system,
)


# name and endpoint of what stands in the head of each page
NAVIGATION = (
    ("Segment", "pages.home"),
    ("Results", "pages.results"),
    ("Training", "script_pages.training"),
    ("Models", "script_pages.models"),
    ("System", "script_pages.system"),
)


class Application(Flask):
    """Flask with requests whose forms say what is wrong with them."""

    request_class = StrictRequest

    def send_static_file(self, filename: str) -> Response:
        """A file of the pages, packed for those who take it so."""
        answer = super().send_static_file(filename)
        if answer.status_code == 200 and Path(filename).suffix in assets.PACKED:
            answer.vary.add("Accept-Encoding")
            if request.accept_encodings["gzip"] > 0:
                answer.close()  # the file itself
                answer.direct_passthrough = False
                answer.set_data(assets.gzipped(filename))
                answer.headers["Content-Encoding"] = "gzip"
                answer.set_etag(f"{answer.get_etag()[0]}-gzip")
        return answer


def create_app(
    settings: ServiceSettings,
    jobs: Jobs | None = None,
    store: FileStore | None = None,
    database: Database | None = None,
) -> Flask:
    """The WSGI application. The parts that reach out of the process are arguments, so that tests bring their own."""
    app = Application(
        "service",
        template_folder=str(TEMPLATES),
        static_folder=str(assets.FOLDER),
        static_url_path=f"/static/{assets.fingerprint()}",
    )
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=MAX_FIELD_BYTES,
        MAX_FORM_PARTS=MAX_PARTS,
        PROPAGATE_EXCEPTIONS=False,
        SEND_FILE_MAX_AGE_DEFAULT=assets.KEEP_S,
        **api_docs.API_CONFIG,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    parts = _build(settings, jobs, store, database)
    app.extensions[EXTENSION] = parts
    auth.register(app, auth.Authenticator(parts.keys, open_access=settings.open_access))
    # the last registered runs first after a request: headers come last, so that the log line and metrics see all
    security_headers.register(app)
    parts.metrics.register(app)
    logs.register(app)
    allowed_hosts.register(app, open_access=settings.open_access)
    api = Api(app)
    for module in BLUEPRINTS:
        api.register_blueprint(module.blueprint)
    app.register_blueprint(api_docs.blueprint)
    app.register_blueprint(segmentation_pages.blueprint)
    app.register_blueprint(script_pages.blueprint)
    app.jinja_env.globals.update(
        navigation=NAVIGATION, imported_by=assets.imported_by, true_size=true_size
    )
    login.register(app, settings.secret_key or login.secret_of(settings.store.data_dir))
    problems.register(app)  # after Api, whose own handler it replaces
    app.wsgi_app = BodyGuard(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _build(
    settings: ServiceSettings, jobs: Jobs | None, store: FileStore | None, database: Database | None
) -> Services:
    stored = settings.store
    threads = settings.web_threads
    database = database or Database(stored.database_url, pool_size=min(threads, 10), max_overflow=threads)
    jobs = jobs or RedisJobs(stored.redis_url, stored.broker_url, threads=threads)
    files = store or FileStore(stored.store_url)
    models, workers = Models(database), Workers(database)
    rows = SegmentationJobs(database, max_attempts=stored.max_attempts)
    dataset_rows = Datasets(database, max_attempts=stored.max_attempts)
    idempotency = Idempotency(database)
    catalogue = Catalogue(models)
    at_once = max(2, os.cpu_count() or 2)
    uploads = Uploads(uploads_folder(stored.data_dir))
    acceptance = Acceptance(segmentations=rows, idempotency=idempotency, files=files, jobs=jobs)
    workforce = Workforce(workers, settings.worker_seen_s)
    retention = timedelta(hours=stored.retention_hours)
    segmenter = Segmenter(
        acceptance=acceptance,
        catalogue=catalogue,
        workforce=workforce,
        files=files,
        jobs=jobs,
        limits=DecodeLimits(max_pixels=settings.max_pixels),
        max_queued=settings.max_queued,
        retention=retention,
        decoders=at_once,
    )
    volumes = VolumeIntake(
        acceptance=acceptance,
        segmentations=rows,
        catalogue=catalogue,
        workforce=workforce,
        files=files,
        jobs=jobs,
        uploads=uploads,
        max_queued=settings.max_queued_volumes,
        retention=retention,
    )
    runs, presets = TrainingRuns(database), read_presets(settings.recipes_dir)
    reported = read_reported(settings.recipes_dir)
    training = Training(
        runs=runs,
        datasets=dataset_rows,
        idempotency=idempotency,
        jobs=jobs,
        presets=presets,
        encoder_weights=EncoderWeights(workers, settings.worker_seen_s),
        max_queued=settings.max_queued_runs,
    )
    evaluation_rows = Evaluations(database, max_attempts=stored.max_attempts)
    evaluating = Evaluating(
        evaluations=evaluation_rows,
        datasets=dataset_rows,
        models=models,
        files=files,
        idempotency=idempotency,
        jobs=jobs,
        max_queued=settings.max_queued_runs,
    )
    return Services(
        settings=settings,
        database=database,
        files=files,
        jobs=jobs,
        keys=Keys(database),
        models=models,
        archives=ModelArchives(
            files, models, stored.models_dir, stored.data_dir / "uploads", settings.max_model_bytes
        ),
        workers=workers,
        throughput=Throughput(database),
        failures=Failures(database),
        segmentations=rows,
        datasets=dataset_rows,
        dataset_intake=DatasetIntake(
            datasets=dataset_rows,
            idempotency=idempotency,
            files=files,
            jobs=jobs,
            settings=settings.datasets,
        ),
        previews=Previews(files, settings.datasets.datasets_dir, at_once),
        uploads=uploads,
        catalogue=catalogue,
        segmenter=segmenter,
        volumes=volumes,
        fetching=Fetching(
            servers=settings.dicomweb.servers,
            catalogue=catalogue,
            volumes=volumes,
            segmentations=rows,
            idempotency=idempotency,
        ),
        renderings=Renderings(files, at_once),
        volume_renderings=VolumeRenderings(files, at_once),
        runs=runs,
        presets=presets,
        reported=reported,
        training=training,
        streams=Streams(runs, most=max(1, threads // 4), seconds=settings.sse_s),
        run_reports=RunReports(
            datasets=dataset_rows,
            models=models,
            files=files,
            presets=presets,
            reported=reported,
        ),
        evaluations=evaluation_rows,
        evaluating=evaluating,
        metrics=Metrics(),
    )
