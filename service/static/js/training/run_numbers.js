// The numbers of a training run: the few that matter as tiles, and all of them by epoch.

import { chip, el } from "../dom.js";
import { duration, number } from "../format.js";
import { keyedRows, say, showOnce } from "./keyed_rows.js";
import { bestEpoch } from "./states.js";

const COLUMNS = [
  ["Training loss", (each) => number(each.train_loss, 4)],
  ["Validation loss", (each) => number(each.validation_loss, 4)],
  ["Validation Dice", (each) => number(each.validation_dice, 4)],
  ["Learning rate", (each) => rate(each.learning_rate)],
  ["Time", (each) => short(each.seconds)],
];

/** 0.00003 -> "3.00e-5". */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  return value >= 0.001 || value === 0 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

/** Epochs of a try-out take less than a second. */
const short = (seconds) => (Number.isFinite(seconds) && seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds));

/** Tiles with the best Dice and the latest numbers; `node.update(run)`. */
export function tiles() {
  const values = ["Best validation Dice", "Training loss", "Validation loss", "Time an epoch"].map((name) =>
    ({ name, value: el("dd", {}, "–"), note: el("dd", { class: "hint" }) }));
  const node = el("dl", { class: "tiles" }, values.map(({ name, value, note }) => el("div", {}, el("dt", {}, name), value, note)));
  node.update = ({ epochs }) => {
    const best = bestEpoch(epochs), last = epochs.at(-1);
    const validated = epochs.filter((each) => Number.isFinite(each.validation_loss)).at(-1);
    const timed = epochs.filter((each) => Number.isFinite(each.seconds));
    const mean = timed.length ? timed.reduce((sum, each) => sum + each.seconds, 0) / timed.length : null;
    const said = [
      [number(best?.validation_dice, 4), best && `epoch ${best.epoch}`],
      [number(last?.train_loss, 4), last && `epoch ${last.epoch}`],
      [number(validated?.validation_loss, 4), validated && `epoch ${validated.epoch}`],
      [short(mean), mean !== null && "without validation"],
    ];
    said.forEach(([value, note], index) => {
      say(values[index].value, value);
      say(values[index].note, note || "");
    });
  };
  return node;
}

/** The table of epochs, newest first, as a <section>; `section.update(run)`. */
export function epochTable() {
  const body = el("tbody", {});
  const box = el("div", { class: "scroll short", tabindex: "0", role: "region", "aria-label": "Table of epochs" },
    el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Epoch"), COLUMNS.map(([name]) => el("th", { scope: "col", class: "num" }, name)))), body));
  const section = el("section", { class: "card", "aria-labelledby": "epochs-title", hidden: true },
    el("h2", { id: "epochs-title" }, "Epochs"), box);
  const rows = keyedRows(body, epochRow); // there may be thousands
  let shown = "";
  section.update = ({ epochs }) => {
    section.hidden = epochs.length === 0;
    const now = JSON.stringify(epochs);
    if (now === shown) return;
    shown = now;
    const best = bestEpoch(epochs)?.epoch;
    rows([...epochs].reverse().map((each) => ({ id: each.epoch, best: each.epoch === best, ...each })));
  };
  return section;
}

function epochRow() {
  const row = el("tr", {});
  const update = (each) => showOnce(row, JSON.stringify(each), () => [
    el("th", { scope: "row" }, each.epoch, each.best && [" ", chip("best", "ok")]),
    COLUMNS.map(([, said]) => el("td", { class: "num" }, said(each)))]);
  return { row, update };
}
