"""The part `volumes`: whole volumes through the service beside the bare forward, and single slices meanwhile."""

import argparse

from benchmarks import embedded, forward, http_load, machine, serving, slices, volume_files, volume_service
from benchmarks.volume_report import Run
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits


def measure(options: argparse.Namespace) -> Run:
    """Everything, one after the other, on an otherwise idle machine."""
    facts = machine.describe()
    chosen = slices.load(options.slices, options.data)
    bare, model, engine = _bare(options, chosen.files)
    done, beside = [], []
    with embedded.running(options.models, options.device) as service:
        http_load.measure(service, chosen.files, 4, min(2.0, options.seconds))  # connections, caches
        for size in options.volumes:
            voxels_DHW = volume_files.drawn(size)
            for name, write in (("DICOM", volume_files.dicom_zip), ("NIfTI", volume_files.nifti)):
                done.append(volume_service.volume(service, name, size, write(voxels_DHW)))
                per_slice = done[-1].total_s / size[0] * 1000
                print(f"{name} {size}: {done[-1].total_s:.1f} s, {per_slice:.1f} ms a slice")
        largest = volume_files.dicom_zip(volume_files.drawn(max(options.volumes)))
        beside = volume_service.beside(service, chosen.files, largest, options.beside, options.seconds)
    return Run(facts, chosen.description, model, engine, bare, done, max(options.volumes), beside)


def _bare(options: argparse.Namespace, files: list[bytes]) -> tuple[forward.Rate, str, str]:
    """The best rate of the network alone, its model, and its engine; its threads are gone before the service's come."""
    model = serving.model_of(options)
    pixels = [decode(file, DecodeLimits()).pixels for file in files[:32]]
    inputs = [model.preprocessing.to_input(one) for one in pixels]
    print(f"forward: {model.engine.name}, batches {options.batches}")
    rates = forward.bare(model.engine, inputs, options.batches, options.seconds)
    return forward.best(rates), model.id, model.engine.name
