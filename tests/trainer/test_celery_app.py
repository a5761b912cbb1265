"""The Celery application registers what the API sends, and takes nothing that could run as code."""

import pytest
from celery.app.defaults import DEFAULTS

from shared.contract.config import ConfigError
from shared.contract.errors import InvalidMessage
from shared.contract.messages import SegmentMessage
from shared.contract.names import Queue, Task
from trainer.celery_app import create_celery, options
from trainer.settings import WorkerSettings

ENV = {"REDIS_URL": "unix:///run/private/redis.sock", "DATA_DIR": "/nowhere"}


@pytest.fixture
def app():
    made = create_celery(ENV)
    yield made
    made.close()


class Sink:
    """Takes jobs."""

    def __init__(self):
        self.messages = []

    def submit(self, message):
        self.messages.append(message)


def test_the_registered_tasks_are_those_of_the_contract(app):
    app.finalize()
    assert {name for name in app.tasks if not name.startswith("celery.")} == set(Task)


def test_a_unix_socket_is_spelled_as_celery_wants_it(app):
    assert app.conf.broker_url == "redis+socket:///run/private/redis.sock"


def test_only_json_is_read(app):
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"


def test_every_queue_of_the_contract_exists_and_asks_for_no_acknowledgement(app):
    assert set(app.amqp.queues) == set(Queue)
    assert all(queue.no_ack for queue in app.amqp.queues.values())


def test_redis_may_be_away_for_ever(app):
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.broker_connection_max_retries is None


def test_every_option_is_one_that_celery_knows():
    unknown = set(options(WorkerSettings.from_env(ENV))) - set(DEFAULTS)
    assert unknown == set()


def test_a_task_hands_its_message_over(app):
    app.runtime = Sink()
    app.tasks[Task.SEGMENT].apply(kwargs={"job_id": "j-1", "request_id": "r-1"}).get()
    assert app.runtime.messages == [SegmentMessage("j-1", "r-1")]


@pytest.mark.parametrize("fields", [{}, {"job_id": "j-1"}, {"job_id": "../etc", "request_id": "r-1"}])
def test_a_message_that_is_not_ours_is_refused(app, fields):
    app.runtime = Sink()
    with pytest.raises(InvalidMessage):
        app.tasks[Task.SEGMENT].apply(kwargs=fields).get()
    assert app.runtime.messages == []


def test_a_missing_setting_names_itself():
    with pytest.raises(ConfigError, match="REDIS_URL"):
        _ = create_celery({}).conf.broker_url
