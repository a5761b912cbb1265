// What a segmentation needs, part by part, and what to do about a part that is missing.

import { chip, el } from "../dom.js";

const TITLES = { database: "Database", redis: "Redis, the queue", worker: "Inference worker", model: "Default model" };
const ADVICE = {
  database: "Is DATABASE_URL right, is its disk full? Nothing can be taken in until it answers.",
  redis: "Start it again. What was accepted is kept in the database and goes on then; nothing new is taken in meanwhile.",
  worker: "Started with “python -m service run”, a worker that ended is started again within seconds. Elsewhere, start one; slices that were accepted wait for it.",
  model: "It is loaded when a worker starts, which takes seconds. If it stays away, the worker's log says why (model_not_loaded).",
};

/** The checks of /health/ready as a list. */
export function checkList(checks) {
  return el("ul", { class: "checks" }, Object.entries(checks).map(([name, { ok, detail }]) => el("li", {},
    chip(ok ? "✓ ok" : "✗ missing", ok ? "ok" : "bad"),
    el("div", {}, el("strong", {}, TITLES[name] ?? name), el("span", { class: "under" }, detail ?? ""),
      !ok && ADVICE[name] && el("span", { class: "under advice" }, ADVICE[name])))));
}

/** One sentence on all of them. */
export function verdict(checks) {
  const missing = Object.entries(checks).filter(([, check]) => !check.ok).map(([name]) => TITLES[name] ?? name);
  return missing.length ? `Not ready. Missing: ${missing.join("; ")}.` : "Ready. Everything that a segmentation needs is there.";
}
