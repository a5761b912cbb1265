"""Which encoders' weights can be had is told by the names of files, the hub's cache and one connection."""

import socket

import pytest
from huggingface_hub import constants
from segmentation_models_pytorch.encoders import encoders as smp_encoders

from shared import catalog
from shared.ml.encoder_files import ANY, available, files_of, hub_reachable


def refuse():
    raise AssertionError("nobody was to be asked")


def touch(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("encoder", "file"),
    [
        ("mobilenet_v2", "mobilenet_v2-b0353104.pth"),
        ("mobilenet_v2", "mobilenet_v2-7ebf99e0.pth"),
        ("resnet18", "resnet18.pth"),
        ("resnet18", "resnet18.pt"),
        ("resnet18", "resnet18.safetensors"),
        ("vgg16", "vgg16-397923af.pth"),
        ("efficientnet-b0", "efficientnet-b0-355c32eb.pth"),
        ("efficientnet-b0", "efficientnet_b0.pth"),
        ("mit_b0", "mit_b0.pth"),
        ("mit_b0", "mit-b0.safetensors"),
    ],
)
def test_files_have_the_names_that_their_authors_give_them(tmp_path, encoder, file):
    assert files_of(encoder, touch(tmp_path, file)) == [tmp_path / file]
    assert available(tmp_path, refuse) == [encoder]


@pytest.mark.parametrize(
    "file",
    [
        "vgg16_bn-6c64b313.pth",
        "vgg16-bn.pth",
        "resnet18.txt",
        "resnet18.pth.part",
        "my-resnet18.pth",
        "resnet180.pth",
        "efficientnet-b00.pth",
        "efficientnet_b0_rwightman-7f5810bc.pth",  # torchvision's, whose layers have other names
        "__init__.py",
    ],
)
def test_other_files_are_nobodys(tmp_path, file):
    assert available(touch(tmp_path, file), refuse) == []


def test_two_files_for_one_encoder_are_none_since_nobody_knows_which(tmp_path):
    assert available(touch(tmp_path, "resnet18.pth", "resnet18-5c106cde.pth", "vgg16.pth"), refuse) == [
        "vgg16"
    ]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert available(tmp_path / "gone", refuse) == []


def test_without_a_folder_a_hub_that_can_be_reached_has_them_all():
    assert available(None, lambda: True) == [ANY]


def test_without_the_hub_what_was_downloaded_before_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for encoder, files in (("resnet34", ("config.json", "model.safetensors")), ("vgg16", ("config.json",))):
        repository = smp_encoders[encoder]["pretrained_settings"]["imagenet"]["repo_id"]
        snapshot = tmp_path / f"models--{repository.replace('/', '--')}" / "snapshots" / "3f2325ff"
        snapshot.mkdir(parents=True)
        touch(snapshot, *files)
    assert available(None, lambda: False) == ["resnet34"]


@pytest.mark.parametrize("encoder", catalog.ENCODERS)
def test_every_encoders_weights_lie_where_the_cache_is_looked_through(encoder):
    settings = smp_encoders[encoder]["pretrained_settings"]["imagenet"]
    assert settings["repo_id"] == f"smp-hub/{encoder}.imagenet"


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setattr("shared.ml.encoder_files.getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_hub_that_takes_a_connection_is_reachable(monkeypatch, listener):
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listener}")
    assert hub_reachable()


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:{}", "ftp://127.0.0.1", "http://127.0.0.1:x", "nothing"]
)
def test_a_hub_that_takes_none_is_not(monkeypatch, endpoint):
    monkeypatch.setattr(constants, "ENDPOINT", endpoint.format(closed_port()))
    assert not hub_reachable()


def test_an_operator_who_says_offline_means_it(monkeypatch, listener):
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{listener}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub_reachable()


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
def test_behind_a_proxy_the_proxy_is_asked(monkeypatch, listener, proxy):
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr("shared.ml.encoder_files.getproxies", lambda: {"https": proxy.format(listener)})
    assert hub_reachable()
    monkeypatch.setattr("shared.ml.encoder_files.getproxies", lambda: {"https": proxy.format(closed_port())})
    assert not hub_reachable()
