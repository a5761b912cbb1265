"""The workers' Celery application with a broker that delivers again what was not acknowledged within a second."""

from trainer.celery_app import app

app.conf.broker_transport_options = {**app.conf.broker_transport_options, "visibility_timeout": 1}
