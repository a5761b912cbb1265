// A ruler on the stage: two ends, drawn by pointer or moved by arrow keys; millimetres where the spacing is known.

import { announce, svg } from "../dom.js";
import { number } from "../format.js";

const GRAB = 14, LEAST = 3; // pixels of the screen

/** `spacing()` gives [row, column] in mm, or null. */
export class Ruler {
  constructor(stage, spacing) {
    Object.assign(this, { stage, spacing, ends: null, active: 1 });
    this.line = svg("line", {});
    this.dots = [svg("circle", { r: 5 }), svg("circle", { r: 5 })];
    this.text = svg("text", {});
    this.node = svg("g", { class: "ruler", visibility: "hidden" }, this.line, this.dots, this.text);
    stage.onScreen.append(this.node);
    stage.addEventListener("view", () => this.draw());
    stage.addEventListener("point", ({ detail }) => this.#point(detail));
  }

  get on() {
    return this.stage.drawing;
  }

  /** Switching on puts a ruler across the middle, so that it can be used without a pointer. */
  toggle(on = !this.on) {
    this.stage.drawing = on;
    const { clientWidth: w, clientHeight: h } = this.stage.node;
    this.ends = on ? [this.stage.toImage([w * 0.4, h / 2]), this.stage.toImage([w * 0.6, h / 2])].map((end) => end.map(Math.round)) : null;
    this.stage.refresh();
    announce(on ? `Ruler on: ${this.said()}` : "Ruler off");
  }

  /** Arrow keys move an end (with Shift by ten pixels), space takes the other end; true if the key was one. */
  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === " ") {
      this.active = 1 - this.active;
    } else if (event.key in moves) {
      const step = event.shiftKey ? 10 : 1;
      this.ends[this.active] = this.ends[this.active].map((value, axis) => value + moves[event.key][axis] * step);
      announce(this.said());
    } else {
      return false;
    }
    this.draw();
    return true;
  }

  /** The length in words: "24.1 mm", or "31.0 pixels; …" where the spacing is not known. */
  said() {
    const [[x1, y1], [x2, y2]] = this.ends, spacing = this.spacing();
    if (!spacing) return `${number(Math.hypot(x2 - x1, y2 - y1))} pixels (spacing not known)`;
    return `${number(Math.hypot((x2 - x1) * spacing[1], (y2 - y1) * spacing[0]))} mm`;
  }

  draw() {
    this.node.setAttribute("visibility", this.ends ? "visible" : "hidden");
    if (!this.ends) return;
    const [[x1, y1], [x2, y2]] = this.ends.map((end) => this.stage.toScreen(end));
    for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) this.line.setAttribute(name, value);
    [[x1, y1], [x2, y2]].forEach(([cx, cy], index) => {
      this.dots[index].setAttribute("cx", cx);
      this.dots[index].setAttribute("cy", cy);
      this.dots[index].setAttribute("class", index === this.active ? "active" : "");
    });
    this.text.textContent = this.said();
    this.text.setAttribute("x", (x1 + x2) / 2);
    this.text.setAttribute("y", Math.min(y1, y2) - 12);
  }

  /** Near an end that end is taken; elsewhere a new ruler is drawn. A click, without a way, changes nothing. */
  #point({ phase, at }) {
    if (phase === "start") {
      this.before = this.ends;
      const near = this.ends?.findIndex((end) => this.#apart(end, at) < GRAB) ?? -1;
      this.active = near < 0 ? 1 : near;
      if (near < 0) this.ends = [at, at];
    } else if (phase === "move" && this.ends) {
      this.ends = this.ends.map((end, index) => (index === this.active ? at : end));
    } else if (phase === "end" && this.ends) {
      if (this.#apart(...this.ends) < LEAST) this.ends = this.before;
      announce(this.said());
    }
    if (phase !== "hover") this.draw();
  }

  /** How far two points of the picture are apart on the screen. */
  #apart(one, other) {
    const [[x1, y1], [x2, y2]] = [one, other].map((point) => this.stage.toScreen(point));
    return Math.hypot(x2 - x1, y2 - y1);
  }
}
