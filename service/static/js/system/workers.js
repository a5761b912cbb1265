// The workers that were seen within the last minute, and what waits for them.

import { chip, el, emptyBox } from "../dom.js";
import { page } from "../api.js";
import { ago, duration } from "../format.js";
import { stackTable } from "../stack_table.js";

const LATELY_S = 15; // as /health/ready has it: a worker says every few seconds that it is there

const since = (text) => Math.max(0, (Date.now() - new Date(text)) / 1000);

function seen(worker) {
  return since(worker.seen_at) > LATELY_S ? chip(`${ago(worker.seen_at)}: gone?`, "warn") : chip(ago(worker.seen_at), "ok");
}

function models(ids) {
  return ids.length ? ids.map((id, index) => [index > 0 && ", ", el("a", { href: page(`models/${encodeURIComponent(id)}`) }, id)]) : "–";
}

/** How many messages wait in each queue, and whether anybody takes them. */
export function queueTiles(queues, workers) {
  return el("div", { class: "tallies" }, Object.entries(queues).map(([name, { waiting }]) => {
    const takers = workers.filter((worker) => worker.queue === name && since(worker.seen_at) <= LATELY_S).length;
    return el("div", { class: "tally" },
      el("span", { class: "of" }, `Queue ${name}`),
      el("strong", {}, waiting === null ? "unknown" : waiting.toLocaleString("en")),
      el("span", { class: "under" }, waiting === null ? "Redis does not answer" : "waiting"),
      takers ? chip(takers === 1 ? "1 worker takes from it" : `${takers} workers take from it`, "ok") : chip("no worker takes from it", "warn"));
  }));
}

/** The workers as a table. */
export function workerTable(workers) {
  if (!workers.length) return emptyBox("No worker was seen in the last minute.", el("p", {}, "“python -m service run” starts and watches them. If it runs, its log says why they do not stay."));
  const order = [...workers].sort((a, b) => a.queue.localeCompare(b.queue) || a.id.localeCompare(b.id));
  return stackTable("Table of workers", ["Worker", "Queue", "Last seen", "Device", "Engine", "Warm models", "Running for", "Version"], order.map((worker) => [
    el("code", {}, worker.id), worker.queue, seen(worker), worker.device, worker.engine === "none" ? "–" : worker.engine,
    models(worker.models ?? []), duration(since(worker.started_at)), worker.version,
  ]));
}
