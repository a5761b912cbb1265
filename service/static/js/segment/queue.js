// The uploads of this page: each is sent, followed and shown; several go on at the same time.

import { Problem, idempotencyKey, upload, v1 } from "../api.js";
import { announce, button, chip, el, problemBox, show } from "../dom.js";
import { bytes, percent } from "../format.js";
import { JobView } from "./job_view.js";

const AT_ONCE = 3;
const WAIT_S = 5; // after that we follow the job by asking, which can tell how far it is

/** Uploads as a list of tabs above the one that is shown. `onEnded` is called when one ended or was deleted. */
export class Queue {
  #running = 0;
  #waiting = [];

  constructor(list, stage, { onEnded }) {
    Object.assign(this, { list, stage, onEnded, items: [], current: null });
  }

  /** Takes uploads [{name, files}] with the form's fields; the first is shown. */
  add(uploads, fields) {
    const items = uploads.map((each) => this.#item(each, fields));
    this.items.push(...items);
    this.#waiting.push(...items);
    this.list.append(...items.map((item) => item.tab));
    this.list.hidden = this.items.length < 2;
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

  #item({ name, files, modalities = null }, fields) {
    const item = { name, files, modalities, fields, key: idempotencyKey(), node: el("div", {}), state: chip("waiting"), view: null };
    item.tab = el("li", {}, el("button", { type: "button", class: "tab", "aria-pressed": "false", onclick: () => this.select(item) }, el("span", { class: "name" }, name), item.state));
    show(item.node, el("div", { class: "card waiting" }, el("p", { role: "status" }, `${name}: waits for the upload before it.`)));
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
    const size = item.files.reduce((sum, file) => sum + file.size, 0);
    const bar = el("progress", { "aria-label": `Upload of ${item.name}`, max: 1 }), ending = new AbortController();
    const text = el("p", { role: "status" }, `Sending ${item.name} (${bytes(size)})…`);
    show(item.node, el("div", { class: "card waiting" }, text, bar, button("Cancel", () => ending.abort(), { kind: "quiet small" })));
    this.#mark(item, "sending", "busy");
    try {
      const job = await upload(v1("segmentations"), form(item), {
        headers: { "Idempotency-Key": item.key }, signal: ending.signal,
        onProgress: (share) => { bar.value = share; text.textContent = share < 1 ? `Sending ${item.name}: ${percent(share, 0)} of ${bytes(size)}` : `${item.name} was sent; segmenting…`; if (share === 1) bar.removeAttribute("value"); },
      });
      this.#accepted(item, job);
    } catch (error) {
      this.#refused(item, error);
    }
  }

  #accepted(item, job) {
    item.view = new JobView(item.node, job, {
      onJob: (now) => this.#told(item, now),
      onDeleted: () => { this.#remove(item); this.onEnded(null); },
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
    const again = button("Try again", () => { this.#waiting.push(item); this.#next(); }, { kind: "second small" });
    const away = button("Remove", () => this.#remove(item), { kind: "quiet small" });
    // what the service refused for its content is refused again; what did not reach it may go through
    const worth = !(error instanceof Problem) || error.status === 0 || error.status >= 429;
    show(item.node, el("h2", {}, item.name), problemBox(error, ...(worth ? [again, away] : [away])));
    this.#mark(item, "refused", "bad");
    announce(`${item.name}: ${error.detail || error.message}`);
  }

  #mark(item, text, kind) {
    const now = chip(text, kind);
    item.state.replaceWith(now);
    item.state = now;
  }

  #remove(item) {
    item.view?.close();
    item.tab.remove();
    this.items.splice(this.items.indexOf(item), 1);
    this.list.hidden = this.items.length < 2;
    if (this.current !== item) return;
    if (this.items.length) this.select(this.items[0]);
    else { show(this.stage); this.stage.hidden = true; }
  }
}

function form(item) {
  const data = new FormData();
  for (const [name, value] of Object.entries(item.fields)) if (value) data.append(name, value);
  data.append("wait", WAIT_S);
  for (const [field, files] of Object.entries(item.modalities ?? { image: item.files })) for (const file of files) data.append(field, file);
  return data;
}
