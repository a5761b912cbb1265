// One segmentation from the moment it was accepted: waiting, running, what became of it, and the viewer.

import { api, follow, page } from "../api.js";
import { announce, button, el, problemBox, swap } from "../dom.js";
import { percent } from "../format.js";
import { Viewer } from "../viewer/viewer.js";
import { deleteJob } from "./remove.js";

const SLOW_MS = 6000; // so long a job may wait before we look why

/**
 * Follows a job in `node`, under `heading`; `close()` ends it. Calls `onJob` with each state of the job and `onDeleted` when
 * it was deleted here; `onGone` is told that it is no longer there, and gives the buttons for what is left.
 */
export class JobView {
  #ending = new AbortController();

  constructor(node, job, { heading, onJob = () => {}, onDeleted = () => {}, onGone = () => [] }) {
    Object.assign(this, { node, heading, onJob, onDeleted, onGone, done: null, viewer: null });
    this.#show(job);
  }

  close() {
    this.#ending.abort();
    this.viewer?.close();
  }

  async #show(job) {
    const ended = ({ status }) => !["queued", "running"].includes(status);
    if (!ended(job)) {
      const waiting = new Waiting(() => this.#delete(job));
      swap(this.node, this.heading, waiting.node);
      try {
        job = await follow(job.links.self, {
          done: ended, signal: this.#ending.signal, every: 400,
          onChange: (now) => { waiting.tell(now); this.onJob(now); },
          onTrouble: (problem) => waiting.trouble(problem),
        });
      } catch (error) {
        return error.name === "AbortError" ? undefined : this.#lost(error, job);
      }
    }
    this.onJob(job);
    if (job.status !== "succeeded") return this.#failed(job);
    this.done = job;
    announce(`${job.result.tumor_detected ? "Tumour found" : "No tumour found"}, confidence ${percent(job.result.confidence)}`);
    return this.shown();
  }

  /** To be called when `node` came into the page: a viewer that nobody sees is not built. */
  shown() {
    if (!this.done || this.viewer || !this.node.isConnected) return;
    const job = this.done;
    this.viewer = new Viewer(job);
    const bar = el("div", { class: "actions" },
      el("a", { class: "button second small", href: page(`results/${job.id}`) }, "Link to this result"),
      button("Delete image and result", () => this.#delete(job), { kind: "quiet small" }));
    swap(this.node, this.heading, this.viewer.node, bar);
  }

  #failed(job) {
    const problem = job.status === "cancelled"
      ? { title: "Cancelled", detail: "This segmentation was cancelled.", status: "", code: "cancelled" }
      : { title: "This did not work", detail: job.error.message, status: "failed", code: job.error.code, reference: job.id };
    swap(this.node, this.heading, problemBox(problem), el("div", { class: "actions" }, button("Delete it", () => this.#delete(job), { kind: "quiet small" })));
    announce(problem.detail);
  }

  /** It cannot be followed any more: it was deleted or has expired, or the service wants something first. */
  #lost(error, job) {
    const gone = [404, 410].includes(error.status);
    const actions = gone ? this.onGone() : [button("Try again", () => this.#show(job), { kind: "second small" })];
    swap(this.node, this.heading, problemBox(error, ...actions));
    announce(error.detail);
  }

  async #delete(job) {
    if (!(await deleteJob(job))) return;
    this.close();
    this.onDeleted(job);
  }
}

/** What is shown while a job waits or runs, and why if that takes long. */
class Waiting {
  constructor(cancel) {
    this.since = performance.now();
    this.asked = 0;
    this.text = el("p", { role: "status" }, "Accepted. Waiting for its turn…");
    this.bar = el("progress", { "aria-label": "Progress" });
    this.why = el("div", {});
    this.node = el("div", { class: "card waiting" }, this.text, this.bar, this.why,
      el("p", { class: "hint" }, "It is kept: you may leave this page and find it under Results."),
      button("Cancel and delete", cancel, { kind: "quiet small" }));
  }

  tell(job) {
    const running = job.status === "running";
    this.text.textContent = running ? `Segmenting… ${job.progress ? percent(job.progress, 0) : ""}` : "Waiting for its turn…";
    if (running && job.progress) this.bar.value = job.progress;
    else this.bar.removeAttribute("value");
    if (!running && performance.now() - this.since > SLOW_MS) this.#ask();
    else if (running) this.why.replaceChildren();
  }

  trouble(problem) {
    if (problem) this.why.replaceChildren(el("div", { class: "notice warn" }, el("p", {}, `${problem.title}. Trying again; what was accepted is not lost.`)));
  }

  /** Asks at most every five seconds what the service lacks. */
  async #ask() {
    if (performance.now() - this.asked < 5000) return;
    this.asked = performance.now();
    try {
      await api(page("health/ready"));
      this.why.replaceChildren();
    } catch (problem) {
      const missing = Object.values(problem.checks ?? {}).filter((check) => !check.ok).map((check) => check.detail);
      if (missing.length) this.why.replaceChildren(el("div", { class: "notice warn" }, el("p", {}, `${missing.join(" ")} Your image is kept and is segmented when it is back.`)));
    }
  }
}
