// The dark stage that pictures lie on: zoom, pan, and a layer of marks that stay crisp at any zoom.

import { el, svg } from "../dom.js";

const MOST = 40; // screen pixels a picture's pixel may become
const STEP = 1.25, PAN = 40;

/** A stage for a picture of width x height pixels that are `aspect` times as high as wide. Events: "view", "point". */
export class Stage extends EventTarget {
  #pointers = new Map();

  constructor({ width, height, aspect, label, describedBy }) {
    super();
    Object.assign(this, { width, height, aspect, scale: 1, x: 0, y: 0, fitted: true, drawing: false });
    this.base = el("canvas", { width, height, "aria-hidden": "true" });
    this.paint = el("canvas", { width, height, class: "paint", "aria-hidden": "true" });
    this.content = el("div", { class: "content" }, this.base, this.paint);
    this.outline = svg("path", { class: "outline" });
    this.boxes = svg("g", { class: "boxes" });
    this.inImage = svg("g", {}, this.outline, this.boxes);
    this.onScreen = svg("g", {});
    this.label = label;
    this.caption = el("p", { class: "stage-caption", "aria-hidden": "true" });
    this.node = el("div", { class: "stage", tabindex: "0", role: "group", "aria-roledescription": "image viewer", "aria-label": label, "aria-describedby": describedBy },
      this.content, svg("svg", { class: "marks", "aria-hidden": "true" }, this.inImage, this.onScreen), this.caption);
    new ResizeObserver(() => (this.fitted ? this.fit() : this.#apply())).observe(this.node);
    this.#listen();
  }

  /** Says on the picture, and to who hears it, what is shown; `stale`: it is not what is wanted. */
  name(words, stale) {
    this.caption.textContent = words;
    this.node.setAttribute("aria-label", `${words}. ${this.label}`);
    this.node.classList.toggle("stale", stale);
  }

  setAspect(aspect) {
    this.aspect = aspect;
    this.fit();
  }

  /** The whole picture, as large as it goes. */
  fit() {
    const { clientWidth: w, clientHeight: h } = this.node;
    if (!w || !h) return;
    this.scale = Math.min(w / this.width, h / (this.height * this.aspect));
    this.x = (w - this.width * this.scale) / 2;
    this.y = (h - this.height * this.aspect * this.scale) / 2;
    this.fitted = true;
    this.#apply();
  }

  /** Draws anew what follows from zoom, place and drawing. */
  refresh() {
    this.#apply();
  }

  /** Zooms by a factor around a point of the stage (its centre if none is given). */
  zoom(factor, at = [this.node.clientWidth / 2, this.node.clientHeight / 2]) {
    const fitted = Math.min(this.node.clientWidth / this.width, this.node.clientHeight / (this.height * this.aspect));
    const scale = Math.min(Math.max(MOST, fitted * 8), Math.max(fitted / 2, this.scale * factor)), change = scale / this.scale;
    this.x = at[0] - (at[0] - this.x) * change;
    this.y = at[1] - (at[1] - this.y) * change;
    this.scale = scale;
    this.#moved();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#moved();
  }

  /** A point of the stage in the picture's pixels, and back. */
  toImage([x, y]) {
    return [(x - this.x) / this.scale, (y - this.y) / (this.scale * this.aspect)];
  }

  toScreen([x, y]) {
    return [this.x + x * this.scale, this.y + y * this.scale * this.aspect];
  }

  /** Zoom and pan by key; true if the key was one. */
  key(event) {
    const actions = {
      "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP), 0: () => this.fit(),
      ArrowLeft: () => this.pan(PAN, 0), ArrowRight: () => this.pan(-PAN, 0),
      ArrowUp: () => this.pan(0, PAN), ArrowDown: () => this.pan(0, -PAN),
    };
    actions[event.key]?.();
    return event.key in actions;
  }

  #moved() {
    this.fitted = false;
    // a part of the picture always stays on the stage
    const { clientWidth: w, clientHeight: h } = this.node, margin = 48;
    this.x = Math.min(w - margin, Math.max(margin - this.width * this.scale, this.x));
    this.y = Math.min(h - margin, Math.max(margin - this.height * this.aspect * this.scale, this.y));
    this.#apply();
  }

  #apply() {
    const down = this.scale * this.aspect;
    this.content.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale}, ${down})`;
    this.content.classList.toggle("pixels", this.scale > 6);
    // a finger scrolls the page past a picture that is wholly seen, and moves one that is zoomed
    this.node.style.touchAction = this.fitted && !this.drawing ? "pan-y" : "none";
    this.inImage.setAttribute("transform", `matrix(${this.scale} 0 0 ${down} ${this.x} ${this.y})`);
    this.dispatchEvent(new Event("view"));
  }

  #at(event) {
    const box = this.node.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #tell(event, phase) {
    this.dispatchEvent(new CustomEvent("point", { detail: { phase, at: this.toImage(this.#at(event)) } }));
  }

  #listen() {
    const { node } = this;
    node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      node.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, this.#at(event));
      if (this.drawing && this.#pointers.size === 1) this.#tell(event, "start");
    });
    node.addEventListener("pointermove", (event) => {
      this.#tell(event, "hover");
      if (this.#pointers.has(event.pointerId)) this.#drag(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      node.addEventListener(end, (event) => {
        if (this.drawing && this.#pointers.size === 1) this.#tell(event, "end");
        this.#pointers.delete(event.pointerId);
      });
    }
    node.addEventListener("dblclick", () => this.fit());
  }

  /** One finger pans (or draws), two zoom. */
  #drag(event) {
    const now = this.#at(event), before = this.#pointers.get(event.pointerId);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    if (other) {
      const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
      this.zoom(apart(now, other) / Math.max(1, apart(before, other)), other);
    } else if (this.drawing) {
      this.#tell(event, "move");
    } else {
      this.pan(now[0] - before[0], now[1] - before[1]);
    }
  }

  /** Zooms by a wheel event. */
  wheel(event) {
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), this.#at(event));
  }
}
