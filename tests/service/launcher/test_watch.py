"""The keeper of an embedded run over a pretended process manager."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.launcher import watch
from service.launcher.supervisord import Program, ProgramState
from service.launcher.watch import Keeper, StartFailed, last_lines

REDIS, API = Program("redis", ["redis"], 10, 1), Program("api", ["api"], 30, 1)


class FakeSupervisor:
    """Answers with one list of states after the other; the last one for ever."""

    def __init__(self, *answers: list[ProgramState]) -> None:
        self._answers = list(answers) or [[]]
        self.started: list[str] = []
        self.alive = True

    def wait_until_it_answers(self) -> None:
        """At once."""

    def start(self, name: str) -> None:
        self.started.append(name)

    def states(self) -> list[ProgramState]:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Scene:
    def __init__(
        self, logs: Path, *answers: list[ProgramState], programs: tuple[Program, ...] = (REDIS, API)
    ) -> None:
        self.supervisor, self.said, self.stop = FakeSupervisor(*answers), [], threading.Event()
        self.keeper = Keeper(self.supervisor, list(programs), logs, self.say, self.stop)  # type: ignore[arg-type]
        self.until: Callable[[str], bool] = lambda line: False

    def say(self, line: str) -> None:
        self.said.append(line)
        if self.until(line):
            self.stop.set()


def after(times: int) -> Callable[[], str | None]:
    """None once it was asked so often."""
    left = iter(range(times))
    return lambda: next(left, None) and "not yet"


def test_redis_is_started_alone_and_the_rest_once_it_answers(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    seen: list[list[str]] = []

    def redis_answers() -> str | None:
        seen.append(list(scene.supervisor.started))
        return None if len(seen) > 1 else "not yet"

    scene.keeper.start(redis_answers, lambda: None)
    assert seen == [["redis"], ["redis"]]
    assert scene.supervisor.started == ["redis", "api"]


def test_a_redis_of_somebody_else_is_not_started(tmp_path: Path) -> None:
    scene = Scene(tmp_path, programs=(API,))
    scene.keeper.start(lambda: None, after(2))
    assert scene.supervisor.started == ["api"]


def test_a_program_that_keeps_ending_before_it_was_ready_fails_the_start_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_text("first\nImportError: no model\n")
    scene = Scene(tmp_path, [ProgramState("api", "FATAL", 0, "Exited too quickly")])
    with pytest.raises(StartFailed, match="(?s)api keeps ending.*Exited too quickly.*ImportError: no model"):
        scene.keeper.start(lambda: None, lambda: "not ready")


def test_a_program_that_lives_but_complains_is_waited_for_a_while_and_its_complaint_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_PATIENCE_WITH_ERRORS_S", 0.1)
    scene = Scene(tmp_path)

    def not_ready() -> str:
        (tmp_path / "api.log").write_text(
            '{"level": "error", "event": "model_not_loaded", "error": "no weights"}\n'
        )
        return "No model."

    with pytest.raises(StartFailed, match="No model. The reason is above"):
        scene.keeper.start(lambda: None, not_ready)
    assert "api        model_not_loaded: no weights" in scene.said


def test_a_new_process_id_is_reported_as_a_restart(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path, [ProgramState("api", "RUNNING", 11, "")], [ProgramState("api", "RUNNING", 12, "")]
    )
    scene.until = lambda line: "restarted" in line
    scene.keeper.watch()
    assert "process 11, now 12" in scene.said[0]


def test_the_end_of_the_process_manager_ends_the_watch(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.supervisor.alive = False
    with pytest.raises(StartFailed, match="supervisord was ended"):
        scene.keeper.watch()


def test_a_process_manager_that_dies_while_a_program_is_started_again_is_one_sentence(tmp_path: Path) -> None:
    scene = Scene(tmp_path, [ProgramState("api", "FATAL", 0, "Exited too quickly")])

    def dies(name: str) -> None:
        scene.supervisor.alive = False
        raise ConnectionRefusedError

    scene.supervisor.start = dies  # type: ignore[method-assign]
    with pytest.raises(StartFailed, match="supervisord was ended"):
        scene.keeper.watch()


def test_a_process_manager_that_dies_at_the_start_is_one_sentence(tmp_path: Path) -> None:
    scene = Scene(tmp_path)

    def dies(name: str) -> None:
        scene.supervisor.alive = False
        raise BrokenPipeError

    scene.supervisor.start = dies  # type: ignore[method-assign]
    with pytest.raises(StartFailed, match="supervisord was ended"):
        scene.keeper.start(lambda: "not yet", lambda: "not yet")


def test_being_told_to_stop_while_starting_ends_the_start_without_an_error(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.stop.set()
    scene.keeper.start(lambda: "never", lambda: "never")
    assert "api" not in scene.supervisor.started


def test_last_lines_show_the_end_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {n}\n" for n in range(5000)))
    assert last_lines(log, count=2) == "  line 4998\n  line 4999"
    assert last_lines(tmp_path / "none.log") == "  (empty)"
