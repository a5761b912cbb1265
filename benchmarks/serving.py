"""Bare forward, batcher, worker and HTTP in one run: `make bench`, or `python -m benchmarks.serving --help`."""

import argparse
import logging
from pathlib import Path

import cv2
import numpy as np
import structlog

from benchmarks import embedded, forward, http_load, machine, pipeline, report, slices
from shared.imaging.picture import DecodeLimits
from shared.imaging.readers.decode import decode
from shared.storage.arrays import to_npy
from trainer.inference.engine import open_engine, resolve_device
from trainer.inference.models import ServedModel
from trainer.inference.source import ModelFolder

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the page."""
    options = _options().parse_args(arguments)
    cv2.setNumThreads(1)  # as in the worker
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    run = measure(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(report.markdown(run), encoding="utf-8")
    for name, value in report.summary(run).items():
        print(f"{value:8.2f}  {name}")
    print(f"written to {options.out}")


def measure(options: argparse.Namespace) -> report.Run:
    """Everything, one after the other, on an otherwise idle machine."""
    facts = machine.describe()
    chosen = slices.load(options.slices, options.data)
    model = _model(options)
    pixels = [decode(file, DecodeLimits()).pixels for file in chosen.files]
    inputs = [model.preprocessing.to_input(one) for one in pixels]
    print(f"forward: {model.engine.name}, batches {options.batches}")
    bare = forward.bare(model.engine, inputs, options.batches, options.seconds)
    print("batcher")
    batcher = forward.batched(model.engine, inputs, options.seconds)
    print("worker")
    # As many jobs as the bare forward would do in the time.
    count = max(32, int(forward.best(bare).per_s * options.seconds))
    worker = pipeline.measure(model, [to_npy(one) for one in pixels], count)
    return report.Run(
        machine=facts,
        slices=chosen.description,
        model=model.id,
        engine=model.engine.name,
        bare=bare,
        batcher=batcher,
        worker=worker,
        http=_http(options, chosen.files),
    )


def _http(options: argparse.Namespace, files: list[bytes]) -> list[http_load.Load]:
    print("service")
    loads = []
    with embedded.running(options.models, options.device) as service:
        http_load.measure(service, files, 4, min(2.0, options.seconds))  # connections, caches, statements
        for clients in options.clients:
            loads.append(http_load.measure(service, files, clients, options.seconds))
            print(f"HTTP, {clients} clients: {loads[-1].per_s:.1f} slices/s, p50 {loads[-1].p50_ms:.1f} ms")
    return loads


def _model(options: argparse.Namespace) -> ServedModel:
    folders = sorted(path.parent for path in options.models.glob("*/card.json"))
    if not folders:
        raise SystemExit(f"error: there is no model in {options.models}: give --models")
    source = ModelFolder(folders[0])
    engine = open_engine(source, resolve_device(options.device), options.engine)
    card = source.card
    warm = ServedModel(
        card.id, engine, source.preprocessing, card.threshold, card.min_region_pixels, card.unlike
    )
    engine.predict(np.zeros((1, *source.input_shape), np.float32))
    return warm


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--data", help="folder with PATIENT/*.tif (default: LGG_DIR, else drawn slices)")
    parser.add_argument("--slices", type=int, default=256, help="how many different ones")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement")
    parser.add_argument("--batches", type=_numbers, default=[1, 2, 4, 8, 16])
    parser.add_argument("--clients", type=_numbers, default=[1, 4, 16, 64])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", default="auto")
    parser.add_argument(
        "--models", type=Path, default=ROOT / "models", help="folder of models; the first is used"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
