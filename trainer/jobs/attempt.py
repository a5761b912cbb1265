"""What a kind of job brings to its supervision: values, and an `Attempt` that knows what only that kind knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from shared.contract.errors import JobFailed
from trainer.jobs.child_process import GRACE_S, ChildProcess
from trainer.jobs.failures import FailureWords
from trainer.jobs.lease import Claimed

Event = dict[str, Any]
Wanted = Callable[[], bool]


class ClaimedJob(Claimed, Protocol):
    """A row that is ours, of a job."""

    @property
    def attempts(self) -> int: ...
    @property
    def request_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class JobKind:
    """What is the same for all jobs of a kind; the `name` stands in log lines."""

    name: str
    words: FailureWords
    stop_grace_s: float = GRACE_S  # for the last words of a process whose worker stops


@dataclass(frozen=True, slots=True)
class RowEnds:
    """How a claimed row may end or be left; each is False (and no change) if the claim is stale."""

    fail: Callable[[str, str], bool]  # code, message
    release: Callable[[], bool]  # left in order
    interrupt: Callable[[str], bool]  # why: another attempt may go well
    cancel: Callable[[], bool]


class Attempt(Protocol):
    """One attempt at one job, as far as its kind knows more than others."""

    @property
    def ends(self) -> RowEnds: ...

    def start(self, wanted: Wanted) -> ChildProcess:
        """Bring here what it needs, and start its process. NotWanted, ServiceError, OSError."""
        ...

    def check(self) -> None:
        """JobFailed where something was deleted that the job is about: nobody may use it any more."""
        ...

    def look(self, *, over: bool) -> None:
        """Called again and again while the process lives, and once when it is `over`."""
        ...

    def hear(self, event: Event) -> None:
        """Keep what the process says. NotWanted where the claim is stale."""
        ...

    def publish(self, finished: Event) -> bool:
        """What was made: its files first, then the row; False, and no files, if the claim is stale."""
        ...

    def retry_because(self, failure: JobFailed) -> str | None:
        """Why another attempt may go well after this. JobFailed where there is a better reason for it."""
        ...

    def note(self, why: str) -> None:
        """It is about to be left to another attempt."""
        ...

    def clean(self, *, ended: bool) -> None:
        """Remove what the attempt has on this host; if its job has ended, what other attempts have left too."""
        ...
