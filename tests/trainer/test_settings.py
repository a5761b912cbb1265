"""Settings of the worker name themselves when they are wrong."""

from pathlib import Path

import pytest

from shared.contract.config import ConfigError
from trainer.settings import WorkerSettings

ENV = {"REDIS_URL": "redis://localhost:6379/0"}


def test_defaults_need_nothing_but_redis():
    settings = WorkerSettings.from_env(ENV)
    assert (settings.device, settings.engine, settings.warm_models) == ("auto", "auto", 3)
    assert settings.cache_dir == Path("data/cache").absolute()


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "CUDA:1"])
def test_devices_are_taken_in_any_case(device):
    assert WorkerSettings.from_env({**ENV, "DEVICE": device}).device == device.lower()


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0"])
def test_an_unknown_device_is_named_with_what_to_give(device):
    with pytest.raises(ConfigError, match=f"DEVICE is '{device}'.*give auto, cpu, cuda or cuda:0"):
        WorkerSettings.from_env({**ENV, "DEVICE": device})


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        WorkerSettings.from_env({"ENGINE": "tensorrt", "WARM_MODELS": "0"})
    assert [problem.split()[0] for problem in caught.value.problems] == ["REDIS_URL", "ENGINE", "WARM_MODELS"]


def test_dicomweb_servers_are_checked_when_the_worker_starts(tmp_path):
    file = tmp_path / "servers.toml"
    file.write_text('[servers.pacs]\nurl = "https://pacs.example/"\ntoken_file = "none"\n')
    env = {**ENV, "DICOMWEB_SERVERS_FILE": str(file), "DICOMWEB_ALLOWED_HOSTS": "pacs.example"}
    with pytest.raises(ConfigError, match="server pacs has a token_file that cannot be used"):
        WorkerSettings.from_env(env)
    (tmp_path / "none").write_text("a-token")
    assert [*WorkerSettings.from_env(env).dicomweb.servers] == ["pacs"]
