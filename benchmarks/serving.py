"""The part `serving`: bare forward, batcher, worker and HTTP."""

import argparse

import numpy as np

from benchmarks import embedded, forward, http_load, machine, pipeline, report, slices
from shared.contract.names import DEFAULT_MODEL
from shared.files.npy import to_npy
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits
from trainer.engines.model_folder import ModelFolder
from trainer.engines.open_engine import open_engine, resolve_device
from trainer.engines.warm_models import ServedModel


def measure(options: argparse.Namespace) -> report.Run:
    """Everything, one after the other, on an otherwise idle machine."""
    facts = machine.describe()
    chosen = slices.load(options.slices, options.data)
    model = model_of(options)
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


def model_of(options: argparse.Namespace) -> ServedModel:
    """The default model of those in the folder, or the first, warm."""
    folders = sorted(path.parent for path in options.models.glob("*/card.json"))
    folders.sort(key=lambda folder: folder.name != DEFAULT_MODEL)
    if not folders:
        raise SystemExit(f"error: there is no model in {options.models}: give --models")
    source = ModelFolder(folders[0])
    engine = open_engine(source, resolve_device(options.device), options.engine)
    card = source.card
    warm = ServedModel(
        card.id, engine, source.preprocessing, card.threshold, card.min_region_pixels, card.unlike, card
    )
    engine.predict(np.zeros((1, *source.input_shape), np.float32))
    return warm
