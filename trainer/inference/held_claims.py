"""The claims that this worker holds, prolonged together."""

import threading
from collections.abc import Iterable, Sequence

import structlog

from shared.jobs.segmentations import Claim, SegmentationJobs

_log = structlog.get_logger(__name__)


class HeldClaims:
    """Claims in flight. `renew` is the chore of one thread, every third of a lease."""

    def __init__(self, jobs: SegmentationJobs, worker_id: str, lease_s: float) -> None:
        self._jobs, self._worker_id, self._lease_s = jobs, worker_id, lease_s
        self._lock = threading.Lock()
        self._held: dict[str, Claim] = {}

    def claim(self, job_ids: Sequence[str]) -> list[Claim]:
        """Those of the jobs that are ours now, prolonged from here on."""
        claims = self._jobs.claim(job_ids, self._worker_id, self._lease_s)
        with self._lock:
            self._held.update((claim.id, claim) for claim in claims)
        return claims

    def drop(self, claims: Iterable[Claim]) -> None:
        """These have ended."""
        with self._lock:
            for claim in claims:
                if self._held.get(claim.id) is claim:
                    del self._held[claim.id]

    def give_back(self, claim: Claim) -> None:
        """This one is for others to do."""
        self.drop([claim])
        self._jobs.release([claim])

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still ours as far as we know."""
        return self._held.get(claim.id) is claim

    def all(self) -> list[Claim]:
        """All of them."""
        with self._lock:
            return list(self._held.values())

    def renew(self) -> None:
        """Prolong all; those that were cancelled or taken over are dropped."""
        held = self.all()
        if not held:
            return
        ours = self._jobs.renew(self._worker_id, held, self._lease_s)
        # Only what is held still: a job that ended meanwhile is no loss.
        lost = [claim for claim in held if claim.id not in ours and self.holds(claim)]
        self.drop(lost)
        for claim in lost:
            _log.info("claim_lost", job_id=claim.id, request_id=claim.request_id)
