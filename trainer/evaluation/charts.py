"""The charts of a report, each described in words as well."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from trainer.evaluation.drawing import Chart, Theme, amounts, chart, floor, legend, plain, printable
from trainer.evaluation.words import amount, unit_name

Rows = Sequence[Mapping[str, Any]]
_WIDE = (6.4, 3.4)


def dice_histogram(rows: Rows, name: str) -> Chart:
    """How volume Dice spreads over the patients."""
    values = np.array([row["dice"] for row in rows])
    mean, median, lowest = float(values.mean()), float(np.median(values)), floor(values)

    def draw(axes: Axes, theme: Theme) -> None:
        axes.hist(values, bins=np.linspace(lowest, 1, 21).tolist(), color=theme.first, alpha=0.85)
        axes.axvline(mean, color=theme.second, label=f"mean {mean:.3f}")
        axes.axvline(median, color=theme.second, linestyle="--", label=f"median {median:.3f}")
        axes.set(xlim=(lowest, 1), xlabel=name, ylabel="patients")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        legend(axes, theme)

    quarters = " and ".join(f"{value:.3f}" for value in np.percentile(values, (25, 75)))
    return chart(
        draw,
        f"{name} of {len(values)} patients: from {values.min():.3f} to {values.max():.3f}, median {median:.3f}, "
        f"quartiles {quarters}.",
    )


def predicted_against_true(rows: Rows, unit: str) -> Chart:
    """Total areas of each patient, with the line on which they would be the same."""
    true, predicted = _areas(rows)
    top = float(max(true.max(), predicted.max(), 1)) * 1.05

    def draw(axes: Axes, theme: Theme) -> None:
        axes.plot([0, top], [0, top], color=theme.soft, linestyle="--", label="predicted = true")
        axes.scatter(true, predicted, color=theme.first, s=22, alpha=0.75)
        axes.set(xlim=(0, top), ylim=(0, top), xlabel=f"true area, {unit_name(unit)}")
        axes.set_ylabel(f"predicted area, {unit_name(unit)}")
        amounts(axes)
        legend(axes, theme)

    return chart(
        draw,
        f"Predicted against true area of {len(true)} patients: larger than true in {int((predicted > true).sum())}, "
        f"smaller in {int((predicted < true).sum())}.",
    )


def bland_altman(rows: Rows, test: Mapping[str, Any]) -> Chart:
    """The difference of both areas over their mean, with bias and limits of agreement."""
    true, predicted = _areas(rows)
    unit = unit_name(test["unit"])

    def draw(axes: Axes, theme: Theme) -> None:
        axes.scatter((true + predicted) / 2, predicted - true, color=theme.first, s=22, alpha=0.75)
        axes.axhline(0, color=theme.soft, linewidth=0.8)
        axes.axhline(test["bias"], color=theme.second, label=f"bias {amount(test['bias'])}")
        if test["lower"] is not None:
            label = f"limits {amount(test['lower'])} to {amount(test['upper'])}"
            axes.axhline(test["lower"], color=theme.second, linestyle="--", label=label)
            axes.axhline(test["upper"], color=theme.second, linestyle="--")
        axes.set(xlabel=f"mean of both areas, {unit}", ylabel=f"predicted − true, {unit}")
        amounts(axes)
        legend(axes, theme)

    return chart(draw, f"Bland-Altman plot of the areas of {len(true)} patients. {test['plain']}")


def by_group(rows: Rows, test: Mapping[str, Any], name: str) -> Chart:
    """Each patient's Dice in its group, and the groups' means."""
    tested = test["groups"]
    lowest = floor(np.array([row["dice"] for row in rows]))

    def draw(axes: Axes, theme: Theme) -> None:
        jitter = np.random.default_rng(0)  # the same on both pages
        for place, group in enumerate(tested):
            values = [row["dice"] for row in rows if row["groups"].get(test["by"]) == group["name"]]
            across = place + jitter.uniform(-0.12, 0.12, len(values))
            axes.scatter(across, values, color=theme.first, s=22, alpha=0.75)
            axes.plot([place - 0.28, place + 0.28], [group["mean"]] * 2, color=theme.second, linewidth=2.5)
        labels = [f"{printable(group['name'])} ({group['n']})" for group in tested]
        axes.set_xticks(range(len(labels)), labels)
        if len(labels) > 3 or max(map(len, labels)) > 12:
            axes.tick_params(axis="x", labelrotation=90)
        axes.set(ylim=(lowest - 0.01, 1.01), ylabel=name)

    means = "; ".join(f"{group['name']} {group['mean']:.3f} ({group['n']} patients)" for group in tested)
    return chart(draw, f"{name} by {test['by']}: means {means}.")


def compared(rows: Rows, ours: str, theirs: str) -> Chart:
    """Each patient's Dice by both models."""
    one, other = (np.array([row[key] for row in rows]) for key in ("dice", "dice_against"))
    lowest = floor(np.concatenate([one, other]))

    def draw(axes: Axes, theme: Theme) -> None:
        axes.plot([lowest, 1], [lowest, 1], color=theme.soft, linestyle="--", label="both the same")
        axes.scatter(other, one, color=theme.first, s=22, alpha=0.75)
        axes.set(xlim=(lowest, 1.01), ylim=(lowest, 1.01), xlabel=f"Dice of {printable(theirs)}")
        axes.set_ylabel(f"Dice of {printable(ours)}")
        legend(axes, theme)

    return chart(
        draw,
        f"Volume Dice of {len(one)} patients by both models: {int((one > other).sum())} lie above the line.",
    )


def history(entries: Rows) -> Chart:
    """Losses and validation Dice over the epochs of the training."""

    def draw(axes: Axes, theme: Theme) -> None:
        right = axes.twinx()
        for side, name, label, colour, style in (
            (axes, "train_loss", "training loss", theme.first, "-"),
            (axes, "validation_loss", "validation loss", theme.first, "--"),
            (right, "validation_dice", "validation Dice", theme.second, "-"),
        ):
            points = [(entry["epoch"], entry[name]) for entry in entries if name in entry]
            if points:
                side.plot(*zip(*points, strict=True), label=label, marker=".", color=colour, linestyle=style)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.set_ylim(bottom=0)
        right.set(ylim=(0, 1), ylabel="mean volume Dice")
        plain(right, theme)
        legend(axes, theme, [*axes.get_lines(), *right.get_lines()])

    last = entries[-1]
    dice = last.get("validation_dice")
    ended = "" if dice is None else f", validation Dice {dice:.3f}"
    said = f"Training over {len(entries)} epochs: training loss {last['train_loss']:.3f} at the end{ended}."
    return chart(draw, said, _WIDE)


def _areas(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row["true_area"] for row in rows]), np.array([row["predicted_area"] for row in rows])
