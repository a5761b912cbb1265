// The end of a training run's log, followed while it grows.

import { api, Problem } from "../api.js";
import { el } from "../dom.js";
import { ended } from "./states.js";

const LINES = 500, EVERY_MS = 3000;

/** The log as a <section>; `section.update(run)` begins to read it when there is one, and reads it once more at the end. */
export function log(links) {
  const text = el("pre", { class: "log", tabindex: "0", role: "region", "aria-label": "Lines of the log" });
  const follows = el("input", { type: "checkbox", id: "follow-log", checked: true });
  const words = el("p", { class: "hint" }, "There is no log before a worker has begun.");
  const download = el("a", { href: links.log, download: "training.log", hidden: true }, "Download all of it");
  const section = el("section", { class: "card", "aria-labelledby": "log-title" },
    el("div", { class: "title" }, el("h2", { id: "log-title" }, "Log"),
      el("div", { class: "actions" }, el("label", { class: "check middle", for: "follow-log" }, follows, "Follow the end"), download)),
    words, text);
  text.hidden = true;
  let timer = null, run = null;

  const read = async () => {
    clearTimeout(timer);
    try {
      const now = await api(`${links.log}?tail=${LINES}`);
      if (text.textContent !== now) text.textContent = now;
      text.hidden = download.hidden = !now;
      words.textContent = now ? `The last ${LINES} lines at most.` : "Nothing was written so far.";
      if (follows.checked) text.scrollTop = text.scrollHeight;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.status !== 404) words.textContent = problem.detail;
    }
    // a page that says that the run is gone has no log
    timer = ended(run) || !section.isConnected ? null : setTimeout(read, EVERY_MS);
  };
  section.update = (now) => {
    const first = run === null || run.status !== now.status;
    run = now;
    // before a worker has done something there is nothing to ask for
    if (run.progress.stage !== null && (first || timer === null) && (first || !ended(run))) read();
  };
  return section;
}
