// What was done: counts by status, how fast, and what failed last.

import { chip, el, emptyBox } from "../dom.js";
import { page } from "../api.js";
import { ago, duration, number, words } from "../format.js";
import { stackTable } from "../stack_table.js";

const KINDS = [["jobs", "Segmentations kept"], ["training_runs", "Training runs"], ["datasets", "Datasets"], ["evaluations", "Evaluations"]];
const COLOURS = { succeeded: "ok", ready: "ok", failed: "bad", running: "busy", validating: "busy", cancelling: "warn" };
const STEPS = { queue: "waiting in the queue", forward: "in the network", total: "in all" };
const PAGES = { segmentation: "results", training_run: "training/runs", dataset: "training/datasets", evaluation: "evaluations" };

/** What there is, by status. */
export function countTable(system) {
  return el("ul", { class: "counts" }, KINDS.map(([name, title]) => {
    const counts = Object.entries(system[name] ?? {}).filter(([, n]) => n > 0);
    return el("li", {}, el("span", {}, title), el("span", { class: "chips" },
      counts.length ? counts.map(([status, n]) => chip(`${number(n)} ${status}`, COLOURS[status])) : el("span", { class: "hint" }, "none")));
  }));
}

/** How many slices ended lately, and how long one takes. */
export function throughputTiles(throughput) {
  const { per_minute: rate, finished, failed, window_s: window, rate_window_s: lately, mean_ms: means } = throughput;
  const tally = (of, figure, line) => el("div", { class: "tally" }, el("span", { class: "of" }, of), el("strong", {}, figure), el("span", { class: "under" }, line));
  return el("div", { class: "tallies" },
    tally("Segmentations", `${number(rate, 1)} a minute`, `over the last ${duration(lately)}`),
    tally("Done", number(finished), `in the last ${duration(window)}`),
    tally("Failed", number(failed), `in the last ${duration(window)}`),
    Object.entries(means ?? {}).map(([step, ms]) => tally(`Mean time ${STEPS[step] ?? step}`, `${number(ms, ms < 100 ? 1 : 0)} ms`, "a picture, lately")));
}

/** What failed last, with a link to each. */
export function errorTable(errors) {
  if (!errors.length) return emptyBox("Nothing failed.");
  return stackTable("Table of errors", ["What", "When", "Code", "Why", "Request"], errors.map((error) => [
    el("a", { href: page(`${PAGES[error.kind]}/${error.id}`) }, words(error.kind)),
    el("time", { datetime: error.at }, ago(error.at)),
    el("a", { href: page(`problems#${error.code}`) }, el("code", {}, error.code)),
    el("span", { class: "message" }, error.message),
    el("code", {}, (error.request_id ?? "").slice(0, 12)),
  ]));
}
