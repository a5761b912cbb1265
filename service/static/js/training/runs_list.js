// The table of training runs on the training page: the queue and the history.

import { page } from "../api.js";
import { el } from "../dom.js";
import { ago, duration, number, time } from "../format.js";
import { keyedRows, say, showOnce } from "./keyed_rows.js";
import { sparkline } from "./sparkline.js";
import { bestEpoch, ended, progressWords, runChip, seconds, share } from "./states.js";

const HEAD = ["Compare", "Run", "Status", "Progress", "Best validation Dice", "Begun", "Took"];

/** The table: {node, update(runs, names)}; `names` is dataset id -> name, `onTick(ids)` is told what is ticked, in the table's order. */
export function runsList(onTick) {
  const body = el("tbody", { role: "rowgroup" });
  const node = el("table", { class: "stack", role: "table", "aria-label": "Training runs" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, HEAD.map((name) =>
      el("th", { scope: "col", role: "columnheader" }, name === "Compare" ? el("span", { class: "unseen" }, name) : name)))),
    body);
  const ticked = () => onTick([...body.querySelectorAll("input:checked")].map((box) => box.value));
  body.addEventListener("change", ticked);
  let names = new Map();
  const rows = keyedRows(body, (run) => makeRow(run, () => names));
  return {
    node,
    update(runs, datasets) {
      names = datasets;
      rows(runs);
      ticked();
    },
  };
}

function makeRow(first, names) {
  const cell = (label, ...children) => el("td", { role: "cell", "data-label": label }, children);
  const tick = el("input", { type: "checkbox", value: first.id });
  const name = el("th", { scope: "row", role: "rowheader", class: "wrap" });
  const status = cell("Status"), dice = cell("Best Dice"), begun = cell("Begun"), took = cell("Took");
  const bar = el("progress", { max: 1, "aria-label": `Progress of ${first.name}` });
  const words = el("div", { class: "hint" });
  const row = el("tr", { role: "row" }, el("td", { role: "cell", class: "tick" }, el("label", { class: "pad" }, tick, el("span", { class: "unseen" }, `Compare ${first.name}`))),
    name, status, cell("Progress", bar, words), dice, begun, took);
  const update = (run) => {
    const dataset = names().get(run.dataset) ?? "a dataset that is gone";
    showOnce(name, `${run.name} ${dataset}`, () => [
      el("a", { href: page(`training/runs/${run.id}`) }, run.name),
      el("div", { class: "hint" }, `${run.recipe ?? "no recipe"} · ${dataset}`)]);
    showOnce(status, run.status, () => runChip(run.status));
    const part = share(run.progress);
    bar.hidden = ended(run) || part === null;
    if (part !== null) bar.value = part;
    say(words, inWords(run));
    const best = bestEpoch(run.epochs);
    showOnce(dice, run.epochs.length, () => best && [
      el("span", { class: "figure" }, number(best.validation_dice, 3)), sparkline(run.epochs.map((each) => each.validation_dice)),
      el("div", { class: "hint" }, `epoch ${best.epoch} of ${run.epochs.length}`)]);
    if (!best) say(dice, "–");
    say(begun, run.started_at ? ago(run.started_at) : "not yet");
    begun.title = time(run.started_at ?? run.created_at);
    say(took, duration(seconds(run)));
  };
  return { row, update };
}

function inWords(run) {
  if (run.status === "queued") return "Waits for a worker";
  if (run.status === "failed") return run.error?.message ?? "";
  if (!ended(run)) return progressWords(run.progress) || "Starting";
  const { epochs } = run.specification;
  return run.epochs.length < epochs ? `${run.epochs.length} of ${epochs} epochs` : `${epochs} epochs`;
}
