// Puts the viewer together: stage, controls, panel, slices; the state lives here and everything is redrawn from it.

import { el, problemBox, svg, table } from "../dom.js";
import { number } from "../format.js";
import { controls } from "./controls.js";
import { display, drawImage } from "./display.js";
import { downloads } from "./downloads.js";
import { keyHelp, stageKeys } from "./keys.js";
import { Masker, thresholdLevel } from "./mask.js";
import { pixelArea, spacingOf, total, voxelVolume } from "./measure.js";
import { paint, parseColor } from "./paint.js";
import { panel } from "./panel.js";
import { about } from "./provenance.js";
import { Ruler } from "./ruler.js";
import { scrubber } from "./scrubber.js";
import { Slices } from "./slices.js";
import { Stage } from "./stage.js";

const RED = "#ff3b30";
// what canvases give back is changed by some privacy settings; then nothing that is counted here is true
const DISTURBED = "This browser changes the pixels that pages read, so the mask that is drawn here is not the one that was measured. Do not use the threshold slider; the downloads are right.";
let viewers = 0;

/** A viewer of a job that succeeded. `node` is its element; `close()` ends its loading. */
export class Viewer {
  #ending = new AbortController();
  #turn = new AbortController(); // of the slice that is being loaded
  #counting = new AbortController();
  #frame = 0;
  #shown = null; // the slice on the stage
  #measured = null;

  constructor(job) {
    const { image, result } = job;
    this.job = job;
    this.slices = new Slices(job);
    this.volume = this.slices.volume;
    this.level = thresholdLevel(result.threshold);
    this.masker = new Masker(image.width, image.height);
    this.state = {
      index: this.volume ? result.largest_slice ?? Math.floor(image.slices / 2) : 0,
      modality: image.modalities?.includes("flair") ? "flair" : image.modalities?.[0] ?? null,
      level: this.level, view: "fill", opacity: 0.45, color: RED, spacing: spacingOf(image),
    };
    if (!this.volume) this.state.modality = null;
    this.whole = this.#published();
    this.stale = false;
    this.channel = null; // of the picture that is shown; null are all
    this.#build();
    this.#draw(); // what the result says needs no picture
    this.#load();
  }

  close() {
    for (const each of [this.#ending, this.#turn, this.#counting]) each.abort();
  }

  /** What the result says of all slices. */
  #published() {
    const { result } = this.job;
    return {
      area: result.area_pixels, confidence: result.confidence, coverage: result.coverage_percent / 100,
      areas: this.volume ? result.slices.map((slice) => slice.area_pixels) : [result.area_pixels],
    };
  }

  #build() {
    const { job, state } = this, { image, result } = job;
    const keys = `keys-${(viewers += 1)}`;
    const set = (name, value) => this.set(name, value);
    this.stage = new Stage({ width: image.width, height: image.height, aspect: this.#aspect(), describedBy: keys, label: this.volume ? "Slice with the mask painted over it" : "Image with the mask painted over it" });
    this.ruler = new Ruler(this.stage, () => (pixelArea(state.spacing) ? [state.spacing.row, state.spacing.column] : null));
    this.controls = controls({ state, set, stage: this.stage, ruler: this.ruler, classes: Boolean(result.classes?.length), modalities: this.volume ? image.modalities ?? [] : [] });
    this.panel = panel({ job, state, set, level: this.level, volume: this.volume, highlight: (box, go = true) => this.#highlight(box, go) });
    this.scrubber = this.volume && scrubber({ count: this.slices.count, largest: () => this.#largest(), go: (index) => set("index", index), plane: image.plane });
    this.readout = el("p", { class: "readout under", "aria-hidden": "true" });
    this.trouble = el("div", {});
    this.files = el("div", {});
    this.node = el("div", { class: "viewer" }, this.panel.headline,
      el("div", { class: "viewer-main" }, this.controls.node, el("div", { class: "stage-box" }, this.stage.node, this.controls.tools), this.trouble, this.readout, this.scrubber && this.scrubber.node,
        display(image.modalities?.length ? 1 : image.channels, (shown) => this.#display(shown)), keyHelp(keys, this.volume)),
      el("div", { class: "viewer-side" }, this.panel.node),
      el("div", { class: "viewer-below" },
        el("section", { class: "card" }, el("h2", {}, "Regions"), this.panel.regions),
        result.classes?.length > 0 && el("section", { class: "card" }, el("h2", {}, "Classes"), this.#classes()),
        el("section", { class: "card" }, el("h2", {}, "Downloads"), this.files),
        el("section", { class: "card" }, el("h2", {}, "Where it comes from"), about(job))));
    this.stage.node.addEventListener("keydown", stageKeys({ state, set, stage: this.stage, ruler: this.ruler, volume: this.volume, largest: () => this.#largest() }));
    this.stage.node.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.stage.addEventListener("point", ({ detail }) => this.#tell(detail.at));
  }

  /** How high a pixel is, against its width; what cannot be is taken for square. */
  #aspect() {
    const { row, column } = this.state.spacing;
    return row && column && row / column > 0.1 && row / column < 10 ? row / column : 1;
  }

  /** Changes the state and redraws what follows from it. */
  set(name, value) {
    const { state } = this;
    if (name === "settled") {
      if (this.volume) this.#count();
      return;
    }
    if (name === "index") value = Math.min(this.slices.count - 1, Math.max(0, value));
    if (state[name] === value) return;
    state[name] = value;
    if (name === "index" || name === "modality") this.#load();
    if (name === "spacing") this.stage.setAspect(this.#aspect());
    if (name === "level" && this.volume) this.stale = state.level !== this.level;
    if (name === "opacity") this.#blend(); // nothing is painted again
    else this.#redraw();
    this.controls.sync();
  }

  /** Shows the slice of the state; of quick steps only the last one is waited for. */
  async #load() {
    this.#turn.abort();
    const turn = (this.#turn = new AbortController());
    const { index, modality } = this.state;
    this.stage.node.setAttribute("aria-busy", "true");
    try {
      const slice = await this.slices.load(index, modality, this.#ending.signal);
      if (turn.signal.aborted) return;
      this.#shown = { ...slice, index };
      this.#drawImage();
      this.trouble.replaceChildren();
      this.#redraw();
      if (this.volume) this.slices.ahead(index, modality, turn.signal);
    } catch (error) {
      if (error.name !== "AbortError" && !turn.signal.aborted) this.trouble.replaceChildren(problemBox(error, el("button", { type: "button", class: "second small", onclick: () => this.#load() }, "Try again")));
    } finally {
      if (turn === this.#turn) this.stage.node.removeAttribute("aria-busy");
    }
  }

  #drawImage() {
    if (this.#shown) drawImage(this.stage.base.getContext("2d"), this.#shown.image, this.channel);
  }

  /** Another channel or brightness of the picture; the mask stays. */
  #display({ channel, filter }) {
    this.stage.base.style.filter = filter;
    if (channel === this.channel) return;
    this.channel = channel;
    this.#drawImage();
  }

  #redraw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const { state } = this;
    if (this.#shown) {
      this.#measure();
      paint(this.stage.paint.getContext("2d"), this.stage, this.#shown, this.masker.mask, state.view, parseColor(state.color));
      this.stage.outline.setAttribute("d", state.view === "outline" ? this.masker.outline() : "");
      this.stage.outline.setAttribute("stroke", state.color);
      this.#blend();
    }
    if (!this.volume && this.#measured) this.whole = { ...this.#measured, areas: [this.#measured.area] };
    const current = this.#shown?.index === state.index; // else the slice is still on its way
    this.panel.sync({ slice: current ? this.#measured : null, whole: this.whole, stale: this.stale });
    const area = pixelArea(state.spacing);
    if (this.scrubber) this.scrubber.sync(state.index, this.#areas(area), area ? "mm²" : "pixels");
    this.files.replaceChildren(downloads(this.job, state));
    this.controls.sync();
  }

  /** Makes the mask anew, if slice or threshold are others. */
  #measure() {
    const { probability } = this.#shown, { level } = this.state;
    if (this.#measured?.of === probability && this.#measured.level === level) return;
    this.#measured = { ...this.masker.make(probability, level, this.job.result.min_region_pixels), of: probability, level };
    if (level === this.level && this.#measured.area !== this.#published().areas[this.#shown.index]) this.trouble.replaceChildren(el("div", { class: "notice warn", role: "alert" }, DISTURBED));
  }

  /** Areas of the slices in the unit that is known; the same list as long as they are the same. */
  #areas(pixel) {
    if (this.areas?.of !== this.whole || this.areas.pixel !== pixel) {
      this.areas = { of: this.whole, pixel, list: this.whole.areas.map((area) => area * (pixel ?? 1)) };
    }
    return this.areas.list;
  }

  #blend() {
    const { view, opacity } = this.state;
    const strength = view === "mask" ? 1 : opacity;
    this.stage.paint.style.opacity = strength;
    this.stage.outline.setAttribute("stroke-opacity", Math.min(1, strength * 2)); // a line is seen less than a surface
    this.controls.sync();
  }

  /** Counts all slices of a volume at the chosen threshold, as the service would. */
  async #count() {
    this.#counting.abort();
    const { level } = this.state;
    if (level === this.level) {
      Object.assign(this, { whole: this.#published(), stale: false });
      this.#redraw();
      return;
    }
    const { signal } = (this.#counting = new AbortController());
    const { image, result } = this.job, masker = new Masker(image.width, image.height), measured = [];
    try {
      for (let index = 0; index < this.slices.count; index += 1) {
        const { area, confidence } = masker.make(await this.slices.probability(index, signal), level, result.min_region_pixels);
        measured.push({ area, confidence });
      }
      Object.assign(this, { whole: total(measured, image.width * image.height), stale: false });
      this.#redraw();
    } catch (error) {
      if (error.name !== "AbortError") this.trouble.replaceChildren(problemBox(error));
    }
  }

  #largest() {
    const { areas } = this.whole;
    return areas.indexOf(Math.max(...areas));
  }

  #highlight(box, go) {
    this.stage.boxes.replaceChildren();
    if (!box) return;
    const [x, y, width, height] = box;
    this.stage.boxes.append(svg("rect", { x, y, width, height }));
    if (go) this.stage.node.scrollIntoView({ block: "nearest" });
  }

  #tell([x, y]) {
    const { width, height } = this.job.image, column = Math.floor(x), line = Math.floor(y);
    const inside = this.#shown && column >= 0 && line >= 0 && column < width && line < height;
    this.readout.textContent = inside ? `x ${column}, y ${line} · probability ${(this.#shown.probability[line * width + column] / 255).toFixed(3)}` : "";
  }

  #wheel(event) {
    event.preventDefault();
    if (!this.volume || event.ctrlKey || event.metaKey) this.stage.wheel(event);
    else this.set("index", this.state.index + Math.sign(event.deltaY));
  }

  #classes() {
    const voxel = voxelVolume(this.state.spacing);
    return table("Table of classes", ["Class", "Pixels", "mm²", voxel && "mm³"].filter(Boolean), this.job.result.classes.map((each) => [
      el("span", {}, el("span", { class: `swatch class-${((each.label - 1) % 5) + 1}`, "aria-hidden": "true" }), each.name),
      number(each.area_pixels), number(each.area_mm2), voxel && number(each.volume_mm3),
    ].filter((cell) => cell !== null)));
  }
}
