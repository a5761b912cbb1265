// Puts the viewer together: stage, controls, panel, slices; the state lives here and everything is redrawn from it.

import { pause } from "../api.js";
import { announce, button, el, problemBox, show, svg } from "../dom.js";
import { classTable } from "./classes.js";
import { controls } from "./controls.js";
import { display, drawImage } from "./display.js";
import { downloads, maskPicture } from "./downloads.js";
import { keyHelp, stageKeys } from "./keys.js";
import { outline, thresholdLevel } from "./mask.js";
import { masksOf } from "./masks.js";
import { pixelArea, spacingOf } from "./measure.js";
import { orientation } from "./orientation.js";
import { Painter, parseColor } from "./paint.js";
import { panel } from "./panel.js";
import { about } from "./provenance.js";
import { Ruler } from "./ruler.js";
import { scrubber } from "./scrubber.js";
import { Slices } from "./slices.js";
import { Stage } from "./stage.js";

const RED = "#ff3b30";
const WHITE = "#ffffff"; // beside the colours of classes, none of which it is
const DWELL_MS = 40; // so long one stays on a slice before it is asked for
const LISTS_MS = 150;
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
  #failed = null; // which slice could not be had, if it is the one that is wanted
  #listed = null; // the slice that the downloads are of
  #measured = null;

  constructor(job) {
    const { image, result } = job;
    this.job = job;
    this.slices = new Slices(job);
    this.volume = this.slices.volume;
    this.level = thresholdLevel(result.threshold);
    this.masks = masksOf(job, this.slices);
    this.state = {
      index: this.volume ? result.largest_slice ?? Math.floor(image.slices / 2) : 0,
      modality: image.modalities?.includes("flair") ? "flair" : image.modalities?.[0] ?? null,
      level: this.level, view: "fill", opacity: 0.45, color: result.classes?.length ? WHITE : RED, spacing: spacingOf(image),
    };
    if (!this.volume) this.state.modality = null;
    this.published = this.#published();
    this.whole = this.published; // at the threshold of the state; null while that is not counted
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
    this.painter = new Painter(this.stage.paint);
    const lies = orientation(this.stage, image.affine);
    this.ruler = new Ruler(this.stage, () => (pixelArea(state.spacing) ? [state.spacing.row, state.spacing.column] : null));
    this.controls = controls({ state, set, stage: this.stage, ruler: this.ruler, classes: Boolean(result.classes?.length), modalities: this.volume ? image.modalities ?? [] : [] });
    this.panel = panel({ job, state, set, level: this.level, volume: this.volume, highlight: (box, go = true) => this.#highlight(box, go) });
    this.scrubber = this.volume && scrubber({ count: this.slices.count, largest: () => this.#largest(), go: (index) => set("index", index), plane: image.plane });
    this.readout = el("p", { class: "readout under", "aria-hidden": "true" });
    this.trouble = el("div", {});
    this.files = el("div", {});
    this.classes = el("div", {});
    this.node = el("div", { class: "viewer" }, this.panel.headline,
      el("div", { class: "viewer-main" }, this.controls.node, el("div", { class: "stage-box" }, this.stage.node, this.controls.tools), this.trouble, this.readout, this.scrubber && this.scrubber.node,
        display(image.modalities?.length ? 1 : image.channels, (shown) => this.#display(shown)), keyHelp(keys, this.volume, lies)),
      el("div", { class: "viewer-side" }, this.panel.node),
      el("div", { class: "viewer-below" },
        el("section", { class: "card" }, el("h2", {}, "Regions"), this.panel.regions),
        result.classes?.length > 0 && el("section", { class: "card" }, el("h2", {}, "Classes"), this.classes),
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

  /** Changes the state and redraws what follows from it; "settled" is a slider that was let go. */
  set(name, value) {
    const { state } = this;
    if (name === "settled") {
      this.#settle();
      return;
    }
    if (name === "index") value = Math.min(this.slices.count - 1, Math.max(0, value));
    if (state[name] === value) return;
    state[name] = value;
    if (name === "index" || name === "modality") this.#load();
    if (name === "spacing") this.stage.setAspect(this.#aspect());
    if (name === "level") this.#unsettle();
    if (name === "opacity") this.#blend(); // nothing is painted again
    else this.#redraw();
    this.controls.sync();
  }

  /** Another threshold: what was counted at the one before is not true of it. */
  #unsettle() {
    this.#counting.abort();
    if (this.volume) this.whole = this.state.level === this.level ? this.published : null;
  }

  /** Counts all slices of a volume at the chosen threshold, as the service would; then says what was found. */
  async #settle() {
    const { level } = this.state;
    if (this.volume && !this.whole) {
      const { signal } = (this.#counting = new AbortController());
      try {
        const counted = await this.masks.ofAll(level, signal);
        if (signal.aborted) return;
        this.whole = counted;
        this.#measured = null; // the slice may look otherwise, now that all are known
      } catch (error) {
        if (error.name !== "AbortError") show(this.trouble, problemBox(error, button("Try again", () => this.#settle(), { kind: "second small" })));
        return;
      }
    }
    this.#redraw();
    requestAnimationFrame(() => announce(this.panel.said()));
  }

  /** Shows the slice of the state; of quick steps only the last one is loaded. */
  async #load() {
    this.#turn.abort();
    const turn = (this.#turn = new AbortController());
    const { index, modality } = this.state;
    this.#failed = null;
    this.stage.node.setAttribute("aria-busy", "true");
    try {
      if (this.#shown && !this.slices.has(index, modality)) await pause(DWELL_MS, turn.signal);
      const slice = await this.slices.load(index, modality, turn.signal);
      if (turn.signal.aborted) return;
      this.#change(slice);
      this.#drawImage();
      show(this.trouble);
      this.#redraw();
      if (this.volume) this.slices.ahead(index, modality, turn.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#blank(index, error);
    } finally {
      if (turn === this.#turn) this.stage.node.removeAttribute("aria-busy");
    }
  }

  /** A slice that cannot be had: no other one stays in its place. */
  #blank(index, error) {
    this.#change(null);
    this.#measured = null;
    this.#failed = index;
    for (const context of [this.stage.base.getContext("2d"), this.painter.context]) context.clearRect(0, 0, this.stage.width, this.stage.height);
    this.stage.outline.setAttribute("d", "");
    show(this.trouble, problemBox(error, button("Try again", () => this.#load(), { kind: "second small" })));
    this.#redraw();
  }

  /** Another slice is on the stage, or none: what was marked and read on the one before is not true of it. */
  #change(slice) {
    if (slice?.index !== this.#shown?.index) {
      this.#highlight(null);
      this.readout.textContent = "";
    }
    this.#shown = slice;
  }

  /** Which slice is on the stage, in words, and whether it is the one that is wanted. */
  #caption() {
    if (!this.volume) return;
    const { index, modality } = this.state, there = this.#shown;
    const current = there?.index === index && there.modality === modality;
    const name = (at, of) => `Slice ${at}${of ? `, ${of}` : ""}`;
    let words = current ? name(index, modality) : `${name(index, modality)} is loading`;
    if (there && !current) words += `; this is ${name(there.index, there.modality).toLowerCase()}`;
    if (this.#failed === index) words = `${name(index, modality)} could not be loaded`;
    this.stage.name(words, !current);
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
    const { state } = this, { width, height } = this.stage;
    if (this.#shown) {
      this.#measure();
      this.painter.paint(this.#shown, this.#measured.mask, state.view, parseColor(state.color));
      this.stage.outline.setAttribute("d", state.view === "outline" ? outline(this.#measured.mask, width, height) : "");
      this.stage.outline.setAttribute("stroke", state.color);
      this.#blend();
    }
    if (!this.volume && this.#measured) this.whole = { ...this.#measured, areas: [this.#measured.area] };
    this.#caption();
    const current = this.#shown?.index === state.index && this.#measured.sure; // else it is still on its way
    this.panel.sync({ slice: current ? this.#measured : null, whole: this.whole });
    const area = pixelArea(state.spacing);
    if (this.scrubber) this.scrubber.sync(state.index, this.#areas(area), area ? "mm²" : "pixels");
    this.#drawLists();
    this.controls.sync();
  }

  /** What needs no frame of its own while something moves; but a download never has the name of another slice. */
  #drawLists() {
    clearTimeout(this.lists);
    const draw = () => {
      const { job, state } = this, own = state.level === this.level, { index, modality } = this.#shown ?? state;
      this.#listed = this.#shown;
      show(this.files, downloads(job, { ...state, index, modality }, own ? null : this.#measured && (() => maskPicture(this.#measured.mask, this.stage))));
      if (job.result.classes?.length) show(this.classes, classTable(job.result, state, own));
    };
    if (this.#listed === this.#shown && this.#shown) this.lists = setTimeout(draw, LISTS_MS);
    else draw();
  }

  /** Makes the mask anew, if slice or threshold are others. */
  #measure() {
    const { level } = this.state, slice = this.#shown;
    if (this.#measured?.of === slice && this.#measured.level === level) return;
    this.#measured = { ...this.masks.ofSlice(slice, level), of: slice, level };
    if (level === this.level && this.#measured.area !== this.published.areas[slice.index]) show(this.trouble, el("div", { class: "notice warn", role: "alert" }, DISTURBED));
  }

  /** Areas of the slices in the unit that is known; the same list as long as they are the same. */
  #areas(pixel) {
    const of = this.whole ?? this.areas.of; // the curve of before, until the new one is counted
    if (this.areas?.of !== of || this.areas.pixel !== pixel) {
      this.areas = { of, pixel, list: of.areas.map((area) => area * (pixel ?? 1)) };
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

  #largest() {
    const { areas } = this.whole ?? this.published;
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

  /** Over a volume: slices. Over a picture: zoom, once it has the focus; else the page scrolls on. */
  #wheel(event) {
    const { index } = this.state, step = Math.sign(event.deltaY);
    const zooms = event.ctrlKey || event.metaKey || (!this.volume && (document.activeElement === this.stage.node || !this.stage.fitted));
    const scrubs = this.volume && !zooms && index + step >= 0 && index + step < this.slices.count;
    if (!zooms && !scrubs) return;
    event.preventDefault();
    if (zooms) this.stage.wheel(event);
    else this.set("index", index + step);
  }
}
