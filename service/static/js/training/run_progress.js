// How far a training run is, and how it ended.

import { page } from "../api.js";
import { el } from "../dom.js";
import { percent } from "../format.js";
import { say, showOnce } from "./keyed_rows.js";
import { ended, progressWords, share } from "./states.js";

/** A card with a bar while the run has not ended; `node.update(run)`. */
export function progressCard() {
  const bar = el("progress", { max: 1, "aria-label": "Progress" });
  const words = el("p", {}), part = el("span", { class: "figure" });
  const node = el("section", { class: "card progress", "aria-label": "Progress" }, el("div", { class: "title" }, words, part), bar);
  node.update = (run) => {
    node.hidden = ended(run);
    const known = run.status !== "queued" && run.progress.stage !== "loading";
    const done = known ? share(run.progress) : null;
    if (done === null) bar.removeAttribute("value");
    else bar.value = done;
    say(part, done === null ? "" : percent(done, 0));
    say(words, inWords(run));
  };
  return node;
}

function inWords(run) {
  if (run.status === "queued") return run.attempts ? "Waits for a worker, to go on from its last checkpoint." : "Waits for a worker.";
  if (run.status === "cancelling") return "Stops after this step…";
  return progressWords(run.progress) || "A worker has taken it and starts…";
}

/** What the run came to: its model, its error, or that it can be resumed; `node.update(run)`. */
export function outcome() {
  const node = el("div", {});
  node.update = (run) => showOnce(node, `${run.status} ${run.model}`, () => {
    if (run.status === "succeeded" && run.model) return success(run);
    if (run.status === "failed") return failure(run);
    if (run.status === "cancelled") return el("div", { class: "notice info" }, el("p", {}, el("strong", {}, "Cancelled. "), "Resume it, and it goes on from its last checkpoint."));
    return null;
  });
  return node;
}

function success(run) {
  return el("div", { class: "notice good" }, el("p", {}, el("strong", {}, "Done. "), "It made ",
    el("a", { href: page(`models/${run.model}`) }, "a model"), ". On its page you can evaluate it on other patients, and make it the default that new images are segmented with."));
}

const ADVICE = {
  dataset_gone: "Start another like it with a dataset that is there.",
  dataset_invalid: "Look at the dataset's page: files may have changed.",
  disk_full: "Make room on the worker's disk, then resume it.",
  out_of_memory: "Start another like it with a smaller batch size, image size or network.",
  loss_not_finite: "Start another like it with a lower learning rate, or with gradient clipping.",
  attempts_exhausted: "The worker died each time. See the log, then resume it.",
};

function failure({ error, attempts }) {
  return el("div", { class: "notice bad" },
    el("p", {}, el("strong", {}, "Failed. "), error?.message ?? "", " ", ADVICE[error?.code] ?? "See the log. A failed run can be resumed."),
    el("p", { class: "hint" }, el("code", {}, error?.code ?? "unknown"), attempts > 1 && ` · after ${attempts} attempts`));
}
