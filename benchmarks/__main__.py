"""`make bench`, or `python -m benchmarks --help`: measures and writes docs/benchmarks.md."""

import argparse
import logging
import os
import sys
from pathlib import Path

import cv2
import structlog

from benchmarks import page, pages, report, serving, training, training_report, volume_report, volumes
from benchmarks.volume_files import Size
from trainer.jobs.child_process import SHARING

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    """Measure the chosen parts, and write each as soon as it is there."""
    options = parser().parse_args(arguments)
    cv2.setNumThreads(1)  # as in the worker
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for part in [options.only] if options.only else page.PARTS:
        if part == "training":
            _as_training_processes_run(sys.argv[1:] if arguments is None else arguments)
        text, summary = _MEASURE[part](options)
        page.write(options.out, {part: text})
        for name, value in summary.items():
            print(f"{value:8.2f}  {name}")
        print(f"written to {options.out}")


def _as_training_processes_run(arguments: list[str]) -> None:
    """Start anew, for this part only, with the environment that OpenMP reads when torch is loaded."""
    if not SHARING.items() <= os.environ.items():
        command = [sys.executable, "-m", "benchmarks", *arguments, "--only", "training"]
        os.execve(sys.executable, command, {**os.environ, **SHARING})


def _serving(options: argparse.Namespace) -> tuple[str, dict[str, float]]:
    run = serving.measure(options)
    return report.markdown(run), report.summary(run)


def _training(options: argparse.Namespace) -> tuple[str, dict[str, float]]:
    run = training.measure(options)
    return training_report.markdown(run), training_report.summary(run)


def _volumes(options: argparse.Namespace) -> tuple[str, dict[str, float]]:
    run = volumes.measure(options)
    return volume_report.markdown(run), volume_report.summary(run)


def _pages(options: argparse.Namespace) -> tuple[str, dict[str, float]]:
    run = pages.measure(options)
    return pages.markdown(run), pages.summary(run)


_MEASURE = {"serving": _serving, "volumes": _volumes, "pages": _pages, "training": _training}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--only", choices=page.PARTS, help="one part; the others stay as they were measured")
    parser.add_argument(
        "--data", help="folder with PATIENT/*.tif and masks (default: LGG_DIR, else drawn slices)"
    )
    parser.add_argument("--slices", type=int, default=256, help="how many different ones")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement")
    parser.add_argument("--batches", type=_numbers, default=[1, 2, 4, 8, 16])
    parser.add_argument("--clients", type=_numbers, default=[1, 4, 16, 64])
    parser.add_argument(
        "--beside", type=_numbers, default=[1, 4], help="clients while a training or a volume goes on"
    )
    parser.add_argument(
        "--volumes", type=_sizes, default="155x240x240,384x512x512", help="slices x rows x columns of each"
    )
    parser.add_argument("--steps", type=int, default=24, help="of the training loop, in each round")
    parser.add_argument("--rounds", type=int, default=7, help="of the training loop")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", default="auto")
    parser.add_argument(
        "--models", type=Path, default=ROOT / "models", help="folder of models; lgg-unet or the first is used"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _sizes(text: str) -> list[Size]:
    sizes = []
    for part in text.split(","):
        depth, height, width = (int(number) for number in part.split("x"))
        sizes.append((depth, height, width))
    return sizes


if __name__ == "__main__":
    main()
