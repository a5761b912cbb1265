"""The Celery application of the workers: `celery -A trainer.celery_app worker -Q inference --pool threads`."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from celery import Celery, bootsteps, signals
from kombu.entity import Queue as KombuQueue

from shared.contract.config import ConfigError
from shared.contract.messages import Message, SegmentVolumeMessage
from shared.contract.names import REQUEST_ID_MESSAGE_HEADER, Queue, Task
from trainer import logs
from trainer.runtime import Runtime, WorkerRuntime
from trainer.settings import WorkerSettings
from trainer.tasks import evaluate, segment, segment_volume, train, validate_dataset

# How long the event loop may stand still when the worker has enough: it must still hear SIGTERM.
_BRAKE_S = 1.0

TASKS = {
    Task.SEGMENT: segment.segment,
    Task.SEGMENT_VOLUME: segment_volume.segment_volume,
    Task.VALIDATE_DATASET: validate_dataset.validate_dataset,
    Task.TRAIN: train.train,
    Task.EVALUATE: evaluate.evaluate,
}


class TrainerApp(Celery):
    """Celery, and what runs beside it in a worker process."""

    runtime: Runtime | None = None

    def send(self, message: Message) -> None:
        """Queue a segmentation (again)."""
        self.send_task(
            Task.SEGMENT_VOLUME if isinstance(message, SegmentVolumeMessage) else Task.SEGMENT,
            kwargs=message.to_json(),
            queue=Queue.INFERENCE,
            task_id=message.job_id,
            headers={REQUEST_ID_MESSAGE_HEADER: message.request_id},
            ignore_result=True,
            retry=False,  # the reconciler comes round again
        )


def options(settings: WorkerSettings) -> dict[str, Any]:
    """Celery's settings, each with its reason."""
    return {
        "broker_url": settings.store.broker_url,
        # Not acknowledged at all: a message is a hint, the row is the truth. That spares two round trips a message
        # and all that can go wrong with redelivery (visibility timeout, unacked keys lost by FLUSHALL).
        "task_queues": [KombuQueue(name, no_ack=True) for name in Queue],
        "task_default_queue": Queue.INFERENCE,
        # Without acknowledgements prefetching has no bound of its own; `_brake` below is ours.
        "worker_prefetch_multiplier": 1,
        # Tasks only hand an id over, so a few threads serve any load; the work has threads of its own.
        "worker_concurrency": 2,
        # JSON only: nothing that comes from Redis may run as code.
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # Results are rows; Celery's would expire.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # Nobody listens to events; remote control needs pub/sub, which is one more thing to break on reconnecting.
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        "worker_enable_remote_control": False,
        # Redis may be away for seconds or hours, at the start as later: keep trying, for ever.
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "broker_connection_timeout": 4,
        # A lost connection says nothing about the jobs under way, which do not need it.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_transport_options": {
            # One list a queue instead of four: no priorities here, and LLEN of it is the truth.
            "priority_steps": [0],
            "queue_order_strategy": "priority",
            # A dead peer (no FIN) is noticed: keep-alive probes, and a limit on connecting.
            "socket_keepalive": True,
            "socket_connect_timeout": 4,
            "health_check_interval": 10,
        },
        # Our own JSON lines (trainer.logs).
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Times in messages are not used; the clock of the database's rows is UTC.
        "enable_utc": True,
        "timezone": "UTC",
    }


def create_celery(env: Mapping[str, str] | None = None) -> TrainerApp:
    """The application with its tasks; the environment is read when a worker (or a test) first needs it."""
    made = TrainerApp("trainer", set_as_current=False)
    made.add_defaults(lambda: options(_settings(env)))
    for name, function in TASKS.items():
        made.task(name=name, bind=True, ignore_result=True)(function)
    made.steps["worker"].add(RuntimeStep)
    return made


class RuntimeStep(bootsteps.StartStopStep):
    """Starts our part after Celery's pool and before its consumer; stops it after the consumer has stopped."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Messages come only once this has returned."""
        app = worker.app
        try:
            app.runtime = WorkerRuntime(_settings(None), list(app.amqp.queues.consume_from), app.send)
            app.runtime.start()
        except ConfigError as error:
            _refuse(error)

    def stop(self, worker: Any) -> None:
        """Finish what was taken."""
        if worker.app.runtime is not None:
            worker.app.runtime.stop()


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Connected, so that Celery leaves logging alone."""
    logs.configure(_settings(None).log_level)


@signals.task_received.connect
def _brake(sender: Any = None, **_: Any) -> None:
    """Called in the event loop for each message: standing still here is what bounds prefetching."""
    runtime = sender.app.runtime
    if runtime is not None:
        runtime.wait_for_room(_BRAKE_S)


def _settings(env: Mapping[str, str] | None) -> WorkerSettings:
    try:
        return WorkerSettings.from_env(os.environ if env is None else env)
    except ConfigError as error:
        if env is None:
            _refuse(error)
        raise


def _refuse(error: ConfigError) -> None:
    """Each problem in a sentence, and no traceback."""
    for problem in error.problems:
        sys.stderr.write(f"error: {problem}\n")
    raise SystemExit(2)


app = create_celery()
