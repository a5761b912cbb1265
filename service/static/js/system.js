// /system: is everything there, who works, what waits, how fast it goes, and what failed. Asked again every 3 seconds.

import { announce, button, el, loadingBox, need, problemBox, show } from "./dom.js";
import { api, page, pause, Problem, v1 } from "./api.js";
import { morph } from "./morph.js";
import { checkList, verdict } from "./system/checks.js";
import { aboutList, limitList } from "./system/limits.js";
import { countTable, errorTable, throughputTiles } from "./system/work.js";
import { queueTiles, workerTable } from "./system/workers.js";

const EVERY_MS = 3000;
const parts = new Map();
const trouble = el("div", {}), state = el("p", { class: "hint", id: "freshness" });
let paused = false, spoken = null, answered = null, failing = false;

/** A card whose content is morphed into what `update` is given. */
function part(name, title, more = "") {
  const body = el("div", {}, loadingBox());
  parts.set(name, body);
  return el("section", { class: `card ${more}`.trim(), "aria-labelledby": `h-${name}` }, el("h2", { id: `h-${name}` }, title), body);
}

const update = (name, ...content) => morph(parts.get(name), el("div", {}, content));

/** The checks; 503 with `checks` is an answer too, anything else is not. */
async function readiness() {
  try {
    return (await api(page("health/ready"))).checks;
  } catch (problem) {
    if (problem.checks) return problem.checks;
    throw problem;
  }
}

function drawChecks(checks) {
  const said = verdict(checks), ready = Object.values(checks).every((check) => check.ok);
  update("checks", el("p", { class: `verdict ${ready ? "clear" : "bad"}` }, said), checkList(checks));
  if (spoken !== null && spoken !== said) announce(said);
  spoken = said;
}

function drawSystem(system) {
  update("queues", queueTiles(system.queues, system.workers));
  update("workers", workerTable(system.workers));
  update("throughput", throughputTiles(system.throughput));
  update("counts", countTable(system));
  update("errors", errorTable(system.errors));
  update("limits", limitList(system.limits));
  update("about", aboutList(system));
}

async function look() {
  const [checks, system] = await Promise.allSettled([readiness(), api(v1("system"))]);
  if (checks.status === "fulfilled") drawChecks(checks.value);
  if (system.status === "fulfilled") drawSystem(system.value);
  const failure = [checks, system].find((each) => each.status === "rejected")?.reason;
  if (failure && !(failure instanceof Problem)) throw failure;
  failing = Boolean(failure);
  if (!failing) answered = Date.now();
  morph(trouble, el("div", {}, failure && problemBox(failure)));
  freshness();
}

function freshness() {
  const clock = answered && new Date(answered).toLocaleTimeString("en-GB");
  const text = !clock ? "No answer yet." : failing ? `Nothing newer than ${clock}.` : `As of ${clock}.`;
  state.textContent = paused ? `${text} Paused.` : text;
}

const toggle = button("Pause", () => {
  paused = !paused;
  toggle.textContent = paused ? "Go on" : "Pause";
  announce(paused ? "Paused: what is shown stays as it is." : "Going on.");
  freshness();
}, { id: "pause" });

async function start() {
  show(need("#app"),
    el("div", { class: "title" }, el("h1", {}, "System"), el("div", { class: "actions" }, state, toggle)),
    trouble,
    el("div", { class: "halves" }, part("checks", "Is it ready?"), part("queues", "What waits")),
    part("workers", "Workers"),
    part("throughput", "How fast it goes"),
    el("div", { class: "halves" },
      el("div", {}, part("counts", "What there is"), part("about", "This service")),
      part("limits", "Limits: at most")),
    part("errors", "What failed last"));
  for (;;) {
    if (!paused && !document.hidden) await look();
    await pause(EVERY_MS);
  }
}

start();
