"""Settings of the API from the environment; a missing or unsafe one names itself before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.web.allowed_hosts import is_loopback
from shared.contract.config import DatasetSettings, EnvReader, StoreSettings
from shared.contract.dicomweb import DicomwebSettings

VERSION = "0.1.0"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the API needs to know; `open_access` means that no key is asked (loopback only)."""

    store: StoreSettings
    host: str = "127.0.0.1"
    port: int = 8000
    open_access: bool = True
    bootstrap_key_file: Path | None = None
    secret_key: str | None = None
    trusted_proxies: int = 0
    max_upload_bytes: int = 25 * MIB
    max_volume_bytes: int = 1024 * MIB
    max_model_bytes: int = 256 * MIB
    max_pixels: int = 4096 * 4096
    max_queued: int = 512
    max_queued_volumes: int = 32
    worker_seen_s: float = 120.0
    recipes_dir: Path = Path("recipes")
    max_queued_runs: int = 100
    sse_s: float = 25.0
    datasets: DatasetSettings = DatasetSettings()
    dicomweb: DicomwebSettings = DicomwebSettings()
    training_workers: int = 1
    web_processes: int = 1
    web_threads: int = 96
    log_level: str = "info"

    @property
    def pictures_at_once(self) -> int:
        """How many pictures are decoded, or painted, at the same time: a large one takes 100 MB meanwhile."""
        return max(2, os.cpu_count() or 2)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the environment; raises ConfigError that names every bad setting and what to do."""
        reader = EnvReader(os.environ if env is None else env)
        store = StoreSettings.read(reader)
        host = reader.text("HOST", "127.0.0.1")
        key_file = reader.raw("BOOTSTRAP_KEY_FILE")
        if key_file is not None and not Path(key_file).is_file():
            reader.problem("BOOTSTRAP_KEY_FILE", "and there is no such file", "give a file that holds a key")
        settings = cls(
            store=store,
            host=host,
            port=reader.integer("PORT", 8000, 0, 65535),
            open_access=not reader.flag("REQUIRE_KEY", key_file is not None or not is_loopback(host)),
            bootstrap_key_file=Path(key_file) if key_file else None,
            secret_key=reader.raw("SECRET_KEY"),
            trusted_proxies=reader.integer("TRUSTED_PROXIES", 0, 0, 10),
            max_upload_bytes=reader.integer("MAX_UPLOAD_BYTES", 25 * MIB, 1024, 1024 * MIB),
            max_volume_bytes=reader.integer("MAX_VOLUME_BYTES", 1024 * MIB, 1024, 64 * 1024 * MIB),
            max_model_bytes=reader.integer("MAX_MODEL_BYTES", 256 * MIB, 1024, 2000 * MIB),
            max_pixels=reader.integer("MAX_PIXELS", 4096 * 4096, 1, 1 << 28),
            max_queued=reader.integer("MAX_QUEUED", 512, 1, 1_000_000),
            max_queued_volumes=reader.integer("MAX_QUEUED_VOLUMES", 32, 1, 1_000_000),
            worker_seen_s=reader.number("WORKER_SEEN_S", 120.0, 5.0, 3600.0),
            recipes_dir=reader.folder("RECIPES_DIR", "recipes"),
            max_queued_runs=reader.integer("MAX_QUEUED_RUNS", 100, 1, 1_000_000),
            sse_s=reader.number("SSE_S", 25.0, 1.0, 3600.0),
            datasets=DatasetSettings.read(reader),
            dicomweb=DicomwebSettings.read(reader, secrets=False),  # only workers talk to the servers
            training_workers=reader.integer("TRAINING_WORKERS", 1, 0, 64),
            web_processes=reader.integer("WEB_PROCESSES", 1, 1, 64),
            web_threads=reader.integer("WEB_THREADS", 96, 2, 1024),
            log_level=reader.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
        )
        if settings.open_access and not is_loopback(host):
            reader.problem(
                "REQUIRE_KEY", f"while HOST is {host!r}", "only a loopback HOST may ask for no key"
            )
        if settings.secret_key is not None and len(settings.secret_key) < 32:
            reader.problem("SECRET_KEY", "which is too short", "give at least 32 characters", secret=True)
        reader.finish()
        return settings
