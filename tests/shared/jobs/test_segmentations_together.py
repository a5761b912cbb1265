"""Many at once: threads, connections and processes that want the same jobs."""

import random
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.jobs.segmentations import Finished, SegmentationJobs

ROOT = Path(__file__).resolve().parents[3]
CLAIMERS = 8


def at_once(count, work):
    """Run work(0), …, work(count - 1) in threads that start together; the first error is raised."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def batches(ids, seed):
    """The ids in an order of one's own, in batches of up to 8."""
    mine = random.Random(seed).sample(ids, len(ids))
    return [mine[k : k + 8] for k in range(0, len(mine), 8)]


def test_each_job_is_claimed_exactly_once_among_eight_threads(jobs, new):
    ids = [jobs.accept(new()).id for _ in range(80)]

    def claim_all(number):
        return [c for batch in batches(ids, number) for c in jobs.claim(batch, f"w{number}", 60)]

    claims = [claim for mine in at_once(CLAIMERS, claim_all) for claim in mine]
    assert Counter(c.id for c in claims) == Counter(ids)
    assert {(c.fence, c.attempts) for c in claims} == {(1, 1)}


def test_a_job_ends_once_whoever_is_first(jobs, new):
    claims = jobs.claim([jobs.accept(new()).id for _ in range(20)], "w", 60)

    def end_all(number):
        mine = random.Random(number).sample(claims, len(claims))
        if number % 2:
            return [c.id for c in mine if jobs.cancel(c.id)]
        done = jobs.finish_many([Finished(c, {"by": number}) for c in mine])
        return [c.id for c, ok in zip(mine, done, strict=True) if ok]

    ended = [id for mine in at_once(CLAIMERS, end_all) for id in mine]
    assert Counter(ended) == Counter(c.id for c in claims)


def test_finishing_renewing_and_deleting_do_not_wait_for_each_other(jobs, new):
    claims = jobs.claim([jobs.accept(new()).id for _ in range(64)], "w", 60)

    def work(number):
        mine = random.Random(number).sample(claims, len(claims))
        for k in range(0, 64, 8):
            if number % 3 == 0:
                jobs.renew("w", mine, 60)
            elif number % 3 == 1:
                jobs.finish_many([Finished(c, {}) for c in mine[k : k + 8]])
            else:
                jobs.delete_pixels(mine[k].id)
                jobs.files_removed([c.id for c in mine])

    at_once(6, work)
    assert {jobs.get(c.id).status for c in claims} <= {"succeeded", "cancelled"}


def test_only_one_of_many_reconcilers_sends(jobs, new, clock):
    ids = [jobs.accept(new()).id for _ in range(30)]
    clock.tick(61)
    due = jobs.due()
    won = [job.id for mine in at_once(CLAIMERS, lambda _: jobs.mark_enqueued(due)) for job in mine]
    assert Counter(won) == Counter(ids)


def test_accepting_from_many_threads_loses_nothing(jobs, new):
    accepted = at_once(CLAIMERS, lambda n: [jobs.accept(new(owner=f"o{n}")).id for _ in range(10)])
    for number, ids in enumerate(accepted):
        assert {v.id for v in jobs.list(f"o{number}").items} == set(ids)


CLAIMER = """
import sys
from shared.database.database import Database
from shared.jobs.segmentations import SegmentationJobs

database = Database(sys.argv[1])
jobs = SegmentationJobs(database)
ids = sys.argv[3].split(",")
print("ready", flush=True)
sys.stdin.readline()
for k in range(0, len(ids), 4):
    for claim in jobs.claim(ids[k : k + 4], sys.argv[2], 60):
        assert jobs.finish(claim, {"by": sys.argv[2]}, {})
        print(claim.id, flush=True)
"""


@pytest.mark.slow
def test_each_job_is_done_exactly_once_among_eight_processes(database, database_url, new):
    jobs = SegmentationJobs(database)
    ids = [jobs.accept(new()).id for _ in range(80)]
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                CLAIMER,
                database_url,
                f"w{number}",
                ",".join(sum(batches(ids, number), [])),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(CLAIMERS)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    done = [id for worker in workers for id in worker.communicate(timeout=60)[0].split()]
    assert [worker.returncode for worker in workers] == [0] * CLAIMERS
    assert Counter(done) == Counter(ids)
    assert {jobs.get(id).status for id in ids} == {"succeeded"}
