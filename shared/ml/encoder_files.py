"""Which encoders can begin with ImageNet weights here: from a folder, the hub's cache or the hub. Without torch."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from huggingface_hub import constants

from shared import catalog

ANY = "*"
CONNECT_S = 3.0
_PORTS = {"http": 80, "https": 443}


def available(folder: Path | None, reachable: Callable[[], bool] | None = None) -> list[str]:
    """Names of encoders whose weights can be had; `[ANY]` for those of all.

    `folder` is what a run would be given: with one, only its files count. Nothing is downloaded.
    """
    if folder is not None:
        return [name for name in catalog.ENCODERS if len(files_of(name, folder)) == 1]
    if (reachable or hub_reachable)():
        return [ANY]
    return [name for name in catalog.ENCODERS if _cached(name)]


def files_of(encoder: str, folder: Path) -> list[Path]:
    """Files of weights of exactly this encoder: `NAME.pth`, `NAME-HASH.pth`, the same as .pt and .safetensors.

    A name may have `-` where its authors have `_`, and the other way round.
    """
    name = re.sub("[-_]", "[-_]", encoder)  # the names of the table hold nothing else that a pattern would
    pattern = re.compile(rf"{name}(-[0-9a-f]{{6,64}})?\.(pth|pt|safetensors)")
    return sorted(path for path in folder.glob("*") if pattern.fullmatch(path.name) and path.is_file())


def hub_reachable() -> bool:
    """Whether the host that segmentation-models-pytorch downloads from, or the proxy before it, takes a connection."""
    if constants.HF_HUB_OFFLINE:
        return False
    to = urlsplit(constants.ENDPOINT)
    proxy = getproxies().get(to.scheme)
    if proxy and to.hostname and not proxy_bypass(to.hostname):
        to = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        with socket.create_connection((to.hostname, to.port or _PORTS[to.scheme]), CONNECT_S):
            return True
    except (OSError, KeyError, ValueError):  # ValueError: a port that is none
        return False


def _cached(encoder: str) -> bool:
    """Whether an earlier download of segmentation-models-pytorch lies in the hub's cache."""
    folder = Path(constants.HF_HUB_CACHE) / f"models--smp-hub--{encoder}.imagenet" / "snapshots"
    return any((path.parent / "config.json").exists() for path in folder.glob("*/model.safetensors"))
