// Evaluations as a table, newest first; those that wait or run are asked again until they have ended.

import { button, chip, el, emptyBox, loadingBox, problemBox, show } from "../dom.js";
import { all, may, page, pause } from "../api.js";
import { percent, time } from "../format.js";
import { stackTable } from "../stack_table.js";
import { fixed, interval } from "./numbers.js";

const EVERY_MS = 2000, MOST = 200;
const HEAD = ["Evaluation", "Status", "Dice by patient", "95 % interval", "Patients", "Against", "Split", "Started"];
const KINDS = { queued: "plain", running: "busy", succeeded: "ok", failed: "bad" };

/** The status of an evaluation as a chip. */
export const statusChip = (evaluation) =>
  chip(evaluation.status === "running" ? `running ${percent(evaluation.progress, 0)}` : evaluation.status, KINDS[evaluation.status]);

function row(evaluation, nameOf) {
  const dice = evaluation.result?.dice?.patient, versus = evaluation.result?.comparison;
  const dataset = evaluation.result?.dataset?.name ?? nameOf(evaluation.dataset);
  return [
    el("a", { href: page(`evaluations/${evaluation.id}`) }, `${evaluation.model} on ${dataset}`),
    statusChip(evaluation),
    fixed(dice?.mean),
    interval(dice?.n > 1 ? dice.ci95 : null) || "–",
    dice ? String(dice.n) : "–",
    evaluation.against ? `${evaluation.against}${Number.isFinite(versus?.mean) ? ` (${versus.mean > 0 ? "+" : ""}${fixed(versus.mean)})` : ""}` : "–",
    evaluation.split,
    time(evaluation.created_at),
  ];
}

/** Fills `node` with the evaluations at `address` and keeps them fresh; `datasets` gives names: id -> name. */
export async function showEvaluations(node, address, datasets, empty) {
  if (!may("train")) return show(node, emptyBox("Evaluations can be read by keys with the scope train; this one does not have it."));
  show(node, loadingBox("Loading evaluations…"));
  let last = "";
  for (;;) {
    let items;
    try {
      items = await all(address, MOST);
    } catch (problem) {
      return show(node, problemBox(problem, button("Try again", () => showEvaluations(node, address, datasets, empty))));
    }
    const now = JSON.stringify(items);
    if (now !== last) {
      const nameOf = (id) => datasets.get(id) ?? "a deleted dataset";
      show(node, items.length ? stackTable("Table of evaluations", HEAD, items.map((each) => row(each, nameOf))) : emptyBox(empty));
    }
    last = now;
    if (items.every((each) => each.status === "succeeded" || each.status === "failed")) return undefined;
    await pause(EVERY_MS);
  }
}
