"""The entry for gunicorn: `service.wsgi:create()`."""

from flask import Flask

from service.app import create_app
from service.container import EXTENSION
from service.settings import ServiceSettings
from service.startup import prepare
from service.web import logs


def create() -> Flask:
    """Build the API from the environment, once a process. Raises ConfigError."""
    settings = ServiceSettings.from_env()
    logs.configure(settings.log_level)
    app = create_app(settings)
    prepare(settings, app.extensions[EXTENSION].stored.database)
    return app
