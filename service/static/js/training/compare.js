// The page that lays training runs over each other: curves, best numbers, and where they were asked for different things.

import { api, page, Problem, v1 } from "../api.js";
import { button, el, loadingBox, need, problemBox, show } from "../dom.js";
import { duration, number } from "../format.js";
import { comparedFields } from "./compare_fields.js";
import { namesOf } from "./dataset_names.js";
import { enter, goneBox, trail } from "./page_parts.js";
import { titled } from "./run_curves.js";
import { bestEpoch, ended, runChip, seconds } from "./states.js";

const MOST = 6, ASK_EVERY_MS = 5000;
const CURVES = [["Validation Dice", "validation_dice", "Dice"], ["Validation loss", "validation_loss", "loss"], ["Training loss", "train_loss", "loss"]];
const app = need("#app");
const TITLE = "Compare training runs", NONE_CHOSEN = "No runs were chosen. Tick two to six on the training page.";
const named = [...new Set((new URLSearchParams(location.search).get("runs") ?? "").split(",").filter(Boolean))];
const wanted = named.slice(0, MOST);

async function fetchRuns() {
  const found = await Promise.allSettled(wanted.map((id) => api(v1(`training-runs/${encodeURIComponent(id)}`))));
  const problems = found.filter((each) => each.status === "rejected").map((each) => each.reason);
  const other = problems.find((each) => !(each instanceof Problem) || each.status !== 404);
  if (other) throw other;
  return { runs: found.filter((each) => each.status === "fulfilled").map((each) => each.value), gone: problems.length };
}

/** Names that tell the runs apart: those that two share get the beginning of their id. */
function namesIn(runs) {
  return runs.map((run) => (runs.filter((other) => other.name === run.name).length > 1 ? `${run.name} (${run.id.slice(0, 6)})` : run.name));
}

function curves(runs, names) {
  return el("section", { class: "card", "aria-labelledby": "curves-title" }, el("h2", { id: "curves-title" }, "Curves"),
    el("div", { class: "curves" }, CURVES.map(([title, name, y]) => titled(title, {
      y, digits: 4, series: runs.map((run, index) => ({
        name: names[index],
        points: run.epochs.filter((each) => Number.isFinite(each[name])).map((each) => [each.epoch, each[name]]),
      })),
    }))));
}

function numbers(runs, names) {
  const best = runs.map((run) => bestEpoch(run.epochs));
  const top = Math.max(...best.map((each) => each?.validation_dice ?? -1));
  const rows = [
    ["Status", (run) => runChip(run.status)],
    ["Best validation Dice", (run, index) => best[index] && [number(best[index].validation_dice, 4), runs.length > 1 && best[index].validation_dice === top && " (highest)"]],
    ["at epoch", (run, index) => best[index]?.epoch],
    ["Validation loss there", (run, index) => number(best[index]?.validation_loss, 4)],
    ["Last training loss", (run) => number(run.epochs.at(-1)?.train_loss, 4)],
    ["Epochs done", (run) => `${run.epochs.length} of ${run.specification.epochs}`],
    ["Took", (run) => duration(seconds(run))],
    ["Model", (run) => (run.model ? el("a", { href: page(`models/${run.model}`) }, "its model") : "none")],
  ];
  return el("section", { class: "card", "aria-labelledby": "numbers-title" }, el("h2", { id: "numbers-title" }, "Numbers"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of numbers" }, el("table", { class: "compared" }, head(runs, names),
      el("tbody", {}, rows.map(([name, said]) => el("tr", {}, el("th", { scope: "row" }, name), runs.map((run, index) => el("td", {}, said(run, index) ?? "–"))))))),
    el("p", { class: "hint" }, "Numbers of runs on different datasets, or split with different seeds, were measured on different patients."));
}

/** The head of a table with a column a run; the key is that of its line. */
function head(runs, names) {
  return el("thead", {}, el("tr", {}, el("td", {}), runs.map((run, index) => el("th", { scope: "col", class: "wrap" },
    el("span", { class: `key line-${index + 1}`, "aria-hidden": "true" }), el("a", { href: page(`training/runs/${run.id}`) }, names[index])))));
}

async function draw({ runs, gone }) {
  const names = namesIn(runs);
  const datasets = await namesOf(runs.map((run) => run.dataset));
  show(app, trail(TITLE), el("h1", {}, TITLE),
    named.length > MOST && el("div", { class: "notice warn" }, el("p", {}, `The address names ${named.length} runs; the first ${MOST} are shown. More lines could not be told apart.`)),
    gone > 0 && el("div", { class: "notice warn" }, el("p", {}, `${gone} of the runs ${gone > 1 ? "are" : "is"} not there any more.`)),
    runs.length < 2 && el("div", { class: "notice info" },
      el("p", {}, "There is only one run to look at. ", el("a", { href: page("training") }, "Tick more on the training page"), ".")),
    curves(runs, names), numbers(runs, names), comparedFields(runs, head(runs, names), datasets));
}

async function start() {
  show(app, trail(TITLE), el("h1", {}, TITLE), loadingBox());
  if (!wanted.length) {
    show(app, trail(TITLE), el("h1", {}, TITLE), goneBox(NONE_CHOSEN));
    return;
  }
  try {
    const found = await fetchRuns();
    if (!found.runs.length) {
      show(app, trail(TITLE), el("h1", {}, TITLE), goneBox("None of these runs is there any more."));
      return;
    }
    await draw(found);
    if (found.runs.some((run) => !ended(run))) freshen(found.runs);
  } catch (problem) {
    show(app, trail(TITLE), el("h1", {}, TITLE), problemBox(problem, button("Try again", start)));
  }
}

/** Offers to draw anew when a run has gone on, rather than take the page away from under the reader. */
function freshen(before) {
  const line = el("div", { class: "notice info", role: "status", hidden: true }, el("p", { class: "actions" }, "There are new epochs. ", button("Show them", start)));
  need("h1", app).after(line);
  const said = (runs) => runs.map((run) => `${run.status} ${run.epochs.length}`).join();
  const timer = setInterval(async () => {
    const { runs } = await fetchRuns().catch(() => ({ runs: before }));
    if (!line.isConnected || said(runs) !== said(before)) clearInterval(timer);
    line.hidden = said(runs) === said(before);
  }, ASK_EVERY_MS);
}

enter(TITLE, start);
