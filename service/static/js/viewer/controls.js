// The bar above the stage: how the mask is shown, how strongly, in which colour; zoom, ruler, keys.

import { button, el } from "../dom.js";

export const VIEWS = [
  ["fill", "Overlay"], ["outline", "Outline"], ["mask", "Mask"], ["probability", "Probability"], ["image", "Image"],
];

let count = 0; // ids of several viewers in one page must differ

/** The bar and the stage's tools as {node, tools, sync()}; `set(name, value)` changes the viewer's state. */
export function controls({ state, set, stage, ruler, classes, modalities }) {
  count += 1;
  const radios = VIEWS.map(([value, name]) =>
    el("label", {}, el("input", { type: "radio", name: `view-${count}`, value, checked: state.view === value, onchange: () => set("view", value) }), el("span", {}, name)));
  const opacity = el("input", { type: "range", id: `opacity-${count}`, min: 0, max: 100, value: state.opacity * 100, oninput: () => set("opacity", opacity.value / 100) });
  const shown = el("span", { class: "value", "aria-hidden": "true" });
  const color = el("input", { type: "color", id: `color-${count}`, value: state.color, oninput: () => set("color", color.value) });
  const rulerButton = button("Ruler", () => ruler.toggle(), { "aria-pressed": "false", "aria-keyshortcuts": "r", class: "second small" });
  const modality = modalities.length > 1 && el("select", { id: `modality-${count}`, onchange: () => set("modality", modality.value) },
    modalities.map((name) => el("option", { value: name, selected: name === state.modality }, name)));
  const node = el("div", { class: "controls" },
    el("fieldset", { class: "segmented" }, el("legend", { class: "unseen" }, "Show"), radios),
    el("div", { class: "control" }, el("label", { for: opacity.id }, "Opacity"), opacity, shown),
    el("div", { class: "control" }, el("label", { for: color.id }, classes ? "Colour without class" : "Colour"), color),
    modality && el("div", { class: "control" }, el("label", { for: modality.id }, "Sequence"), modality));
  const tools = el("div", { class: "tools", role: "group", "aria-label": "Zoom and ruler" },
    button("−", () => stage.zoom(1 / 1.25), { class: "second small", "aria-label": "Zoom out" }),
    button("Fit", () => stage.fit(), { class: "second small", "aria-label": "Fit the picture" }),
    button("+", () => stage.zoom(1.25), { class: "second small", "aria-label": "Zoom in" }),
    rulerButton);
  stage.addEventListener("view", () => rulerButton.setAttribute("aria-pressed", String(ruler.on)));
  return {
    node,
    tools,
    sync() {
      shown.textContent = `${Math.round(state.opacity * 100)} %`;
      opacity.setAttribute("aria-valuetext", shown.textContent);
      rulerButton.setAttribute("aria-pressed", String(ruler.on));
      for (const label of radios) label.firstChild.checked = label.firstChild.value === state.view;
      opacity.disabled = ["mask", "image"].includes(state.view);
      color.disabled = !["fill", "outline"].includes(state.view);
    },
  };
}
