"""create_app: the one place that builds the API and wires its parts together."""

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
from service.job_queue import JobQueue
from service.pages import api_docs, assets, login, script_pages, segmentation_pages
from service.settings import ServiceSettings
from service.stored import Stored
from service.web import allowed_hosts, auth, logs, problems, security_headers
from service.web.ids import IdConverter
from service.web.multipart import MAX_FIELD_BYTES, MAX_PARTS, StrictRequest
from service.web.request_body import BodyGuard
from shared.database.database import Database
from shared.files.store import FileStore
from shared.pictures.proportions import true_size

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
    queue: JobQueue | None = None,
    files: FileStore | None = None,
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
    app.url_map.converters["default"] = IdConverter
    parts = Services.build(settings, Stored.open(settings, queue, files, database))
    app.extensions[EXTENSION] = parts
    auth.register(app, auth.Authenticator(parts.stored.keys, open_access=settings.open_access))
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
