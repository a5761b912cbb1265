// The curves of a training run: losses, validation Dice, learning rate.

import { lineChart } from "../chart.js";
import { el } from "../dom.js";

const points = (epochs, name) => epochs.filter((each) => Number.isFinite(each[name])).map((each) => [each.epoch, each[name]]);

/** The curves as a <section>; `section.update(run)` draws them anew when an epoch has been added. */
export function curves(links) {
  const grid = el("div", { class: "curves" });
  const none = el("p", { class: "hint" }, "The curves begin with the first epoch that is done.");
  const section = el("section", { class: "card", "aria-labelledby": "curves-title" },
    el("div", { class: "title" }, el("h2", { id: "curves-title" }, "Curves"),
      el("a", { href: links.curves, download: "curves.png" }, "Download as PNG")),
    none, grid);
  const download = section.querySelector("a");
  let drawn = "";
  section.update = ({ epochs }) => {
    none.hidden = epochs.length > 0;
    download.hidden = epochs.length === 0;
    const now = JSON.stringify(epochs);
    if (now === drawn) return;
    drawn = now;
    const open = [...grid.querySelectorAll("details")].map((each) => each.open);
    grid.replaceChildren(...charts(epochs));
    grid.querySelectorAll("details").forEach((each, index) => {
      each.open = open[index] ?? false;
    });
  };
  return section;
}

function charts(epochs) {
  if (!epochs.length) return [];
  return [
    titled("Validation Dice", { y: "Dice", digits: 4, series: diceSeries(epochs) }),
    titled("Loss", { y: "loss", digits: 4, series: [
      { name: "training", points: points(epochs, "train_loss") },
      { name: "validation", points: points(epochs, "validation_loss") }] }),
    titled("Learning rate", { y: "rate", digits: 6, series: [{ name: "learning rate", points: points(epochs, "learning_rate") }] }),
  ];
}

/** One line for the mean, and one a class where there are several. */
function diceSeries(epochs) {
  const classes = Object.keys(epochs.filter((each) => each.validation_dice_by_class).at(-1)?.validation_dice_by_class ?? {});
  return [
    { name: classes.length ? "mean" : "validation Dice", points: points(epochs, "validation_dice") },
    ...classes.map((name) => ({ name, points: epochs.filter((each) => each.validation_dice_by_class)
      .map((each) => [each.epoch, each.validation_dice_by_class[name]]) })),
  ];
}

/** A chart under its title. */
export function titled(title, chart) {
  return el("div", {}, el("h3", {}, `${title} by epoch`), lineChart({ label: `${title} by epoch`, x: "epoch", ...chart }));
}
