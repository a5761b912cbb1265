// The keys of the stage: what they do, and what is said about them.

import { el } from "../dom.js";
import { VIEWS } from "./controls.js";

const KEYS = [
  ["+ − 0", "zoom in, out, fit"], ["arrows", "move the picture"], ["1 to 5", "overlay, outline, mask, probability, image"],
  ["h", "hide and show the mask"], ["r", "ruler; then arrows move its end, Shift for ten pixels, space takes the other end"],
];
const VOLUME_KEYS = [
  ["↑ ↓, PgUp PgDn", "slice by slice, ten slices"], ["Home, End", "first, last slice"], ["l", "slice with most tumour"],
  ["Shift + arrows", "move the picture"],
];

/** What the keys do, for sighted readers and, by its id, for the stage's description. */
export function keyHelp(id, volume, lies) {
  const keys = volume ? [...VOLUME_KEYS, ...KEYS.filter(([key]) => key !== "arrows")] : KEYS;
  const pointer = volume
    ? "Wheel: slices. Ctrl + wheel or pinch: zoom. Drag: move. Double click: fit."
    : "Wheel (once the picture has the focus) or pinch: zoom. Drag: move. Double click: fit.";
  return el("details", { class: "keys" }, el("summary", {}, "Keys and pointer"),
    el("div", { id }, el("p", { class: "hint" }, pointer, lies && ` The patient lies thus: ${lies}.`),
      el("dl", {}, keys.map(([key, does]) => [el("dt", {}, key), el("dd", {}, does)]))));
}

/** A listener for keydown on the stage; `largest()` is the slice with most tumour. */
export function stageKeys({ state, set, stage, ruler, volume, largest }) {
  let shown = "fill"; // the view that h brings back
  const step = (by) => () => set("index", state.index + by);
  const hide = () => {
    if (state.view !== "image") shown = state.view;
    set("view", state.view === "image" ? shown : "image");
  };
  const always = {
    ...Object.fromEntries(VIEWS.map(([view], index) => [String(index + 1), () => set("view", view)])),
    h: hide, r: () => ruler.toggle(),
  };
  const slices = {
    ArrowUp: step(-1), ArrowLeft: step(-1), ArrowDown: step(1), ArrowRight: step(1), PageUp: step(-10), PageDown: step(10),
    Home: step(-Infinity), End: step(Infinity), l: () => set("index", largest()),
  };
  const act = (event) => {
    if (event.key in always) return always[event.key](), true;
    if (ruler.on && event.key === "Escape") return ruler.toggle(false), true;
    if (ruler.on && ruler.key(event)) return true;
    if (volume && !event.shiftKey && event.key in slices) return slices[event.key](), true;
    return stage.key(event);
  };
  return (event) => {
    if (event.target !== stage.node || event.ctrlKey || event.metaKey || event.altKey) return;
    if (act(event)) event.preventDefault();
  };
}
