"""The reconciler sends what is due, once, and deletes what expired."""

from datetime import timedelta

import pytest

from shared.contract.messages import SegmentMessage
from shared.database.file_removals import FileRemovals
from shared.files.paths import pixels_path, segmentation_folder
from trainer.reconciler import UNSENT_IF_BUSY_S, UNSENT_IF_IDLE_S, Reconciler


class Queue:
    """Messages in Redis, which may be away."""

    def __init__(self):
        self.sent: list[SegmentMessage] = []
        self.length = 0
        self.away = False

    def send(self, message):
        if self.away:
            raise ConnectionError("Redis is away")
        self.sent.append(message)

    def __len__(self):
        if self.away:
            raise ConnectionError("Redis is away")
        return self.length

    def ids(self):
        return [message.job_id for message in self.sent]


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def removals(database, files):
    return FileRemovals(database, files)


@pytest.fixture
def reconciler(jobs, removals, files, queue):
    return Reconciler(jobs, removals, files, queue.send, lambda: len(queue))


def test_a_fresh_job_is_left_to_its_message(reconciler, accept, queue):
    accept()
    reconciler.run()
    assert queue.sent == []


def test_a_queued_job_whose_message_is_gone_is_sent_again_soon(reconciler, accept, queue, clock):
    id = accept(request_id="r-9")
    clock.skip(UNSENT_IF_IDLE_S + 0.1)
    reconciler.run()
    assert queue.sent == [SegmentMessage(id, "r-9")]


def test_while_messages_wait_only_long_overdue_jobs_are_sent_again(reconciler, accept, queue, clock):
    id = accept()
    queue.length = 1
    clock.skip(UNSENT_IF_IDLE_S + 0.1)
    reconciler.run()
    assert queue.sent == []
    clock.skip(UNSENT_IF_BUSY_S)
    reconciler.run()
    assert queue.ids() == [id]


def test_what_was_just_sent_again_is_not_sent_at_once_again(reconciler, accept, queue, clock):
    accept()
    clock.skip(UNSENT_IF_IDLE_S + 0.1)
    reconciler.run()
    reconciler.run()
    assert len(queue.sent) == 1


def test_a_job_whose_worker_died_is_sent_again_when_its_lease_is_over(reconciler, jobs, accept, queue, clock):
    id = accept()
    jobs.claim([id], "w1", 10)
    queue.length = 5
    clock.skip(9)
    reconciler.run()
    assert queue.sent == []
    clock.skip(2)
    reconciler.run()
    assert queue.ids() == [id]


def test_several_reconcilers_send_a_job_once(jobs, removals, files, accept, queue, clock):
    ids = [accept() for _ in range(3)]
    clock.skip(UNSENT_IF_IDLE_S + 0.1)
    for _ in range(4):
        Reconciler(jobs, removals, files, queue.send, lambda: 0).run()
    assert sorted(queue.ids()) == sorted(ids)


def test_a_job_that_kills_every_worker_is_failed_with_a_reason(reconciler, jobs, accept, queue, clock):
    id = accept()
    for _ in range(3):
        assert len(jobs.claim([id], "w1", 10)) == 1
        clock.skip(11)
    reconciler.run()
    row = jobs.get(id)
    assert row.status == "failed"
    assert row.error["code"] == "attempts_exhausted"
    assert row.error["message"]
    assert queue.sent == []


def test_redis_away_costs_nothing_but_time(reconciler, accept, queue, clock):
    id = accept()
    clock.skip(UNSENT_IF_IDLE_S + 0.1)
    queue.away = True
    with pytest.raises(ConnectionError):
        reconciler.run()
    queue.away = False
    clock.skip(UNSENT_IF_IDLE_S + 0.1)
    reconciler.run()
    assert queue.ids() == [id]


def test_expired_pixels_are_deleted_even_while_redis_is_away(reconciler, jobs, files, accept, queue, clock):
    id = accept(retention=timedelta(hours=1))
    kept = accept()
    queue.away = True
    clock.skip(3601)
    with pytest.raises(ConnectionError):
        reconciler.run()
    assert jobs.get(id).gone
    assert not files.exists(segmentation_folder(id))
    assert files.exists(segmentation_folder(kept))


def test_a_folder_that_cannot_be_removed_keeps_no_other(reconciler, jobs, files, accept, clock, monkeypatch):
    stuck, free = accept(), accept()
    clock.skip(25 * 3600)
    real = files.delete_tree

    def refusing(path):
        if path == segmentation_folder(stuck):
            raise PermissionError(path)
        real(path)

    monkeypatch.setattr(files, "delete_tree", refusing)
    reconciler.run()
    assert not files.exists(pixels_path(free)) and files.exists(pixels_path(stuck))
    monkeypatch.undo()
    reconciler.run()
    assert not files.exists(pixels_path(stuck))
