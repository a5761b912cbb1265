"""The lock of a data folder, the private run folder and the port of an embedded run."""

import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from service.launcher.data_dir_lock import DataDirLock, check_port_is_free, run_folder
from shared.contract.config import ConfigError


def test_a_second_run_at_the_same_folder_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    first, second = DataDirLock(tmp_path), DataDirLock(tmp_path)
    first.take()
    first.write({"pid": 1, "address": "http://127.0.0.1:8123"})
    with pytest.raises(ConfigError, match=r"DATA_DIR.*another run.*8123.*another DATA_DIR"):
        second.take(patience_s=0)


def test_the_lock_can_be_taken_again_once_it_is_released(tmp_path: Path) -> None:
    first = DataDirLock(tmp_path)
    first.take()
    first.release()
    again = DataDirLock(tmp_path)
    again.take(patience_s=0)
    assert again.read() == {}


@pytest.mark.parametrize("reaped", [True, False])
def test_a_run_whose_launcher_was_killed_is_waited_for_while_it_stops(tmp_path: Path, reaped: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as launcher:
        while not reaped and psutil.Process(launcher.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        if reaped:
            launcher.wait()
        stopping, new = DataDirLock(tmp_path), DataDirLock(tmp_path)
        stopping.take()
        stopping.write({"pid": launcher.pid})
        threading.Timer(0.3, stopping.release).start()
        new.take()
        new.release()


def test_a_data_folder_that_is_a_file_names_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="DATA_DIR"):
        DataDirLock(tmp_path / "file")


def test_the_run_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    with run_folder(tmp_path, None) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_the_run_folder_of_a_killed_run_is_removed_by_the_next(tmp_path: Path) -> None:
    leftover = tmp_path / "segmentation-run-abc"
    leftover.mkdir()
    with run_folder(tmp_path, str(leftover)):
        assert not leftover.exists()


def test_a_folder_that_is_not_a_run_folder_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    with run_folder(tmp_path, str(precious)):
        assert precious.exists()


def test_sockets_stay_short_when_the_data_folder_is_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with run_folder(deep, None) as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "supervisor.sock.4194304"))
        assert deep not in folder.parents


def test_a_taken_port_is_named_together_with_another_to_try() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"PORT is {port}.*taken.*PORT={port + 1}"):
            check_port_is_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_named_as_a_wrong_host() -> None:
    with pytest.raises(ConfigError, match="HOST is '192.0.2.1'"):
        check_port_is_free("192.0.2.1", 0)
