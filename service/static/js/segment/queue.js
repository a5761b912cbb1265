// The uploads of this page: each is sent, followed and shown; several go on at the same time.

import { idempotencyKey } from "../api.js";
import { announce, button, chip, el, need, problemBox, show, swap } from "../dom.js";
import { JobView } from "./job_view.js";
import { send, unsettled } from "./send.js";
import { sendingView } from "./sending_view.js";

const AT_ONCE = 3;

/** Uploads as a list of tabs above the one that is shown. `onEnded` is called when one ended or was deleted. */
export class Queue {
  #running = 0;
  #waiting = [];

  constructor(list, stage, options, { onEnded }) {
    Object.assign(this, { list, stage, options, onEnded, items: [], current: null });
  }

  /** Takes uploads [{name, files}] with the options as they are now; the first is shown. */
  add(uploads) {
    this.options.clear();
    const items = uploads.map((each) => this.#item(each));
    this.items.push(...items);
    this.#waiting.push(...items);
    this.list.append(...items.map((item) => item.tab));
    this.list.hidden = false;
    if (items.length) this.select(items[0]);
    this.#next();
  }

  /** Shows an upload on the stage. */
  select(item) {
    this.current = item;
    for (const each of this.items) each.tab.firstChild.setAttribute("aria-pressed", String(each === item));
    show(this.stage, item.node);
    this.stage.hidden = false;
    item.view?.shown();
  }

  /** Takes the upload away that became this job, if there is one: it was deleted elsewhere on the page. */
  forget(id) {
    const item = this.items.find((each) => each.job === id);
    if (item) this.#remove(item);
  }

  #item({ name, files, modalities = null }) {
    const heading = el("h2", { tabindex: "-1" }, el("span", { class: "unseen" }, "Result: "), name), body = el("div", {});
    const item = { name, files, modalities, fields: this.options.values(), key: idempotencyKey(), job: null, heading, body, node: el("div", {}, heading, body), state: chip("waiting"), view: null };
    item.tab = el("li", {}, el("button", { type: "button", class: "tab", "aria-pressed": "false", title: name, onclick: () => this.select(item) }, el("span", { class: "name" }, name), " ", item.state));
    show(body, el("div", { class: "card waiting" }, el("p", { role: "status" }, `${name}: waits for the upload before it.`)));
    return item;
  }

  #next() {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#send(this.#waiting.shift()).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #send(item) {
    const ending = new AbortController(), view = sendingView(item, () => ending.abort());
    swap(item.body, item.heading, view.node);
    this.#mark(item, "sending", "busy");
    try {
      this.#accepted(item, await send(item, { signal: ending.signal, onProgress: view.progress, onPause: view.paused }));
    } catch (error) {
      this.#refused(item, error);
    }
  }

  #accepted(item, job) {
    item.job = job.id;
    item.view = new JobView(item.body, job, {
      heading: item.heading,
      onJob: (now) => this.#told(item, now),
      onDeleted: () => { this.#remove(item); this.onEnded(null); },
      onGone: () => { this.#mark(item, "gone", "warn"); this.onEnded(null); return [this.#away(item)]; },
    });
  }

  #told(item, job) {
    if (["queued", "running"].includes(job.status)) return this.#mark(item, job.status, "busy");
    if (this.current === item) queueMicrotask(() => this.stage.scrollIntoView({ block: "start" })); // once it is shown
    if (job.status !== "succeeded") this.#mark(item, job.status, "bad");
    else this.#mark(item, job.result.tumor_detected ? "tumour" : "no tumour", job.result.tumor_detected ? "bad" : "ok");
    return this.onEnded(job);
  }

  #refused(item, error) {
    if (error.name === "AbortError") {
      this.#remove(item);
      return;
    }
    const problem = this.options.worded(error), actions = [this.#away(item)];
    if (error.status === 422) actions.unshift(button("Send again with the present options", () => this.#changed(item), { kind: "second small" }));
    // what the service refused for its content is refused again; what did not reach it may go through
    else if ([0, 401].includes(error.status) || error.status >= 429 || unsettled(error)) actions.unshift(button("Try again", () => this.#again(item), { kind: "second small" }));
    if (unsettled(error)) problem.detail += " This may have been accepted all the same; trying again makes nothing twice.";
    swap(item.body, item.heading, problemBox(problem, ...actions));
    this.#mark(item, "refused", "bad");
    announce([`${item.name}: ${problem.title ?? "refused"}. ${problem.detail}`, ...Object.entries(problem.errors).map(([name, messages]) => `${name}: ${messages.join(" ")}`)].join(" "));
    if (error.status === 422) this.options.mark(error.errors, this.current === item);
  }

  #away(item) {
    return button("Remove", () => this.#remove(item), { kind: "quiet small" });
  }

  #again(item) {
    this.#waiting.push(item);
    this.#next();
  }

  /** With other options it is another request, which wants a key of its own. */
  #changed(item) {
    Object.assign(item, { fields: this.options.values(), key: idempotencyKey() });
    this.options.clear();
    this.#again(item);
  }

  #mark(item, text, kind) {
    const now = chip(text, kind);
    item.state.replaceWith(now);
    item.state = now;
  }

  #remove(item) {
    const lost = item.node.contains(document.activeElement) || document.activeElement === document.body;
    const index = this.items.indexOf(item);
    item.view?.close();
    item.tab.remove();
    this.items.splice(index, 1);
    this.list.hidden = !this.items.length;
    if (this.current === item) {
      if (this.items.length) this.select(this.items[Math.min(index, this.items.length - 1)]);
      else { this.current = null; show(this.stage); this.stage.hidden = true; }
    }
    if (lost) (this.current?.tab.firstChild ?? need("h1")).focus();
  }
}
