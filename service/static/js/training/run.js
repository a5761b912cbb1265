// The page of a training run: how far it is, curves, numbers, samples, log, and everything that was decided.

import { api, page, Problem, v1 } from "../api.js";
import { announce, button, el, loadingBox, need, problemBox, show } from "../dom.js";
import { duration, time } from "../format.js";
import { namesOf } from "./dataset_names.js";
import { showOnce } from "./keyed_rows.js";
import { enter, goneBox, trail } from "./page_parts.js";
import { runActions } from "./run_actions.js";
import { curves } from "./run_curves.js";
import { followRun } from "./run_live.js";
import { log } from "./run_log.js";
import { epochTable, tiles } from "./run_numbers.js";
import { outcome, progressCard } from "./run_progress.js";
import { samples } from "./run_samples.js";
import { specificationTable } from "./specification.js";
import { ended, runChip, seconds } from "./states.js";

const app = need("#app");
const address = v1(`training-runs/${encodeURIComponent(app.dataset.item)}`);

/** The page of this run; its `update` brings it to a newer state of the run, keeping nodes. */
function layout(first, onRun) {
  const chip = el("span", {}), facts = el("dl", { class: "inline" }), trouble = el("div", {});
  const showTrouble = (problem) => showOnce(trouble, problem && `${problem.code} ${problem.detail}`, () => problem && problemBox(problem));
  const actions = runActions(onRun, showTrouble);
  const parts = [outcome(), progressCard(), tiles(), curves(first.links), epochTable(), samples(first.links), log(first.links)];
  const [end, progress, figures, lines, table, pictures, lines500] = parts;
  const specification = el("div", {});
  show(app, trail("Training run"),
    el("div", { class: "title" }, el("h1", { tabindex: "-1" }, first.name, chip), actions),
    facts, trouble, end, progress, figures, lines,
    el("div", { class: "epochs-samples" }, table, pictures), lines500, specification);
  const update = (run) => {
    document.title = `${run.name} · ${run.status} · Training run`;
    showOnce(chip, run.status, () => runChip(run.status));
    actions.update(run);
    parts.forEach((part) => part.update(run));
    showOnce(facts, `${run.status} ${run.attempts} ${run.datasetName} ${ended(run) || Math.floor(seconds(run) ?? 0)}`, () => inShort(run));
  };
  return { update, showTrouble, specification };
}

function inShort(run) {
  const dataset = run.datasetName === undefined ? "…" : run.datasetName === null ? "deleted" : el("a", { href: page(`training/datasets/${run.dataset}`) }, run.datasetName);
  return [
    ["Recipe", run.recipe ?? "none"],
    ["Dataset", dataset],
    ["Network", [run.specification.architecture, run.specification.encoder].filter(Boolean).join(" · ")],
    ["Asked for", time(run.created_at)],
    run.started_at && [run.finished_at ? "Took" : "At work for", duration(seconds(run))],
    run.attempts > 1 && ["Attempts", String(run.attempts)],
  ].filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}

async function start() {
  show(app, el("h1", {}, "Training run"), loadingBox());
  let run;
  try {
    run = await api(address);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    show(app, trail("Training run"), el("h1", {}, "Training run"), problem.status === 404
      ? goneBox("There is no such training run. It was deleted, or it is another owner's.") : problemBox(problem, button("Try again", start)));
    return;
  }
  begin(run);
}

function begin(first) {
  let run = first, stop = null, waiting = null;
  const draw = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => view.update(run), 60); // news come in bunches
  };
  const toRun = (now) => {
    if (now.status !== run.status) announce(`${now.name}: ${now.status}.`);
    const again = ended(run) && !ended(now);
    run = { ...now, datasetName: run.datasetName };
    draw();
    if (again) live(); // it was resumed
  };
  const view = layout(first, toRun);
  const live = () => {
    stop?.();
    stop = followRun(run, {
      onRun: toRun,
      onProgress: (progress) => {
        run.progress = progress;
        draw();
      },
      onEpoch: ({ at, ...epoch }) => {
        putEpoch(run.epochs, epoch);
        draw();
      },
      onTrouble: (problem) => {
        if (problem?.status === 404) gone();
        else view.showTrouble(problem);
      },
    });
  };
  const gone = () => {
    stop?.();
    document.removeEventListener("visibilitychange", lookAgain);
    start();
  };
  /** Of a run that has ended nothing is followed, but another window may have resumed or deleted it. */
  const lookAgain = async () => {
    if (document.hidden || !ended(run)) return;
    try {
      toRun(await api(address));
    } catch (problem) {
      if (problem.status === 404) gone(); // of an outage the reader is told when something is asked for
    }
  };
  document.addEventListener("visibilitychange", lookAgain);
  view.update(run);
  if (!ended(run)) live();
  nameDataset();
  specify();

  async function nameDataset() {
    const names = await namesOf([run.dataset]).catch(() => new Map());
    run.datasetName = names.get(run.dataset);
    draw();
  }

  /** What differs from the recipe needs the catalog; without it the table is shown all the same. */
  async function specify() {
    const catalog = await api(v1("catalog")).catch(() => ({ recipes: [] }));
    show(view.specification, specificationTable(run, catalog.recipes.find((each) => each.name === run.recipe)?.fields ?? null));
  }
}

/** Those of the past come again too, and one that was cut off is done anew. */
function putEpoch(epochs, epoch) {
  let place = epochs.length;
  while (place > 0 && epochs[place - 1].epoch > epoch.epoch) place -= 1;
  const known = epochs[place - 1]?.epoch === epoch.epoch;
  epochs.splice(known ? place - 1 : place, known ? 1 : 0, epoch);
}

enter("Training run", start);
