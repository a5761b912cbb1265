// Slices of a dataset with the outline of the experts' mask: by patient, slice and modality.

import { button, el } from "../dom.js";
import { choose, field } from "./fields.js";
import { previewLoader } from "./preview_loader.js";

const VOLUME_SLICES = 155; // of BraTS, whose slices go by their number in the volume
const MORE = 10;

/** The viewer of this dataset's slices, as a <section>. */
export function preview(dataset) {
  const load = previewLoader(dataset.links.preview);
  const parts = controls(dataset);
  const { image, words, patient, slider, modality, number } = parts;
  const state = { patient: "0", slice: null, modality: "" };
  const range = sliceRange(dataset, slider.control);

  const showNow = async () => {
    number.textContent = state.slice === null ? "with the largest tumour" : state.slice;
    image.classList.add("waits");
    const asked = { ...state };
    const { source, problem } = await load(asked);
    if (!source && !problem) return;
    image.classList.remove("waits");
    if (problem) {
      if (problem.status === 404 && asked.slice !== null && range.learn(problem.detail)) {
        state.slice = slider.control.value;
        showNow();
        return;
      }
      image.hidden = true;
      words.textContent = [problem.detail, ...Object.values(problem.errors).flat()].join(" ");
      return;
    }
    image.src = source;
    image.alt = `Patient ${asked.patient}, slice ${number.textContent}: without and with the outline of the mask`;
    image.hidden = false;
    words.textContent = range.words();
    if (asked.slice === null) return;
    range.reached(Number(asked.slice));
    for (const by of [1, -1]) if (range.has(Number(asked.slice) + by)) load.ahead({ ...asked, slice: String(Number(asked.slice) + by) });
  };
  const toPatient = (name) => {
    Object.assign(state, { patient: name, slice: null });
    patient.control.value = name;
    range.reset();
    showNow();
  };
  const step = (by) => {
    const now = Number.parseInt(patient.control.value, 10) || 0;
    toPatient(String(Math.min(dataset.patients - 1, Math.max(0, now + by))));
  };
  patient.control.addEventListener("change", () => toPatient(patient.control.value.trim() || "0"));
  parts.before.addEventListener("click", () => step(-1));
  parts.after.addEventListener("click", () => step(1));
  slider.control.addEventListener("input", () => {
    state.slice = slider.control.value;
    showNow();
  });
  modality.control.addEventListener("change", () => {
    state.modality = modality.control.value;
    showNow();
  });
  toPatient("0");
  return parts.node;
}

function controls(dataset) {
  const last = dataset.patients - 1;
  const image = el("img", { alt: "", hidden: true });
  // many pictures side by side scroll where the window is narrow
  const scrolls = dataset.channels > 3 ? { tabindex: "0", role: "region", "aria-label": "Pictures" } : {};
  const stage = el("div", { class: "stage", ...scrolls }, image);
  const words = el("p", { class: "hint", role: "status" });
  const number = el("output", { class: "figure", for: "preview-slice" });
  const patient = field(el("input", { id: "preview-patient", autocomplete: "off", spellcheck: "false" }), "Patient",
    last > 0 ? `Number from 0 to ${last}, or name.` : "Number 0, or name.");
  const slider = field(el("input", { id: "preview-slice", type: "range", min: 0 }), "Slice",
    dataset.format === "brats" ? "Its number in the volume, from the feet to the head. Arrow keys move it." : "Arrow keys move it.");
  slider.querySelector("label").after(number);
  const modality = field(choose("preview-modality", modalities(dataset), ""), "Modality", "One alone in grey, or all side by side.");
  const before = button("‹", () => {}, { kind: "icon", "aria-label": "Previous patient" });
  const after = button("›", () => {}, { kind: "icon", "aria-label": "Next patient" });
  const node = el("section", { class: "card", "aria-labelledby": "preview-title" },
    el("h2", { id: "preview-title" }, "Preview"),
    el("figure", { class: "preview" }, stage, el("figcaption", {}, words)),
    el("div", { class: "preview-controls" }, slider, el("div", { class: "with-steps" }, patient, before, after), modality),
    dataset.classes?.length > 1 && el("p", { class: "hint" }, "Outlines: ", dataset.classes.map((name, index) =>
      [el("span", { class: `swatch class-${index + 1}`, "aria-hidden": "true" }), `${name} `])));
  return { node, image, words, number, patient, slider, modality, before, after };
}

/** What can be shown of a slice. Colour pictures come in their colours unless one asks for something else; others side by side. */
function modalities({ channels, modalities: names, format }) {
  if (channels === 1) return [["", "the only one"]];
  const each = (names?.length ? names : Array.from({ length: channels }, (_, index) => String(index)))
    .map((name) => [name, names?.length ? name : `channel ${name}`]);
  const together = "all, side by side";
  return format === "brats" ? [["", together], ...each] : [["", "all, as colours"], ["all", together], ...each];
}

/** The slider's range. How many slices a patient has is not told before one asks for a slice too many: it starts at the average. */
function sliceRange({ format, patients, slices }, slider) {
  const isVolume = format === "brats";
  let count = null, expected = 1;
  return {
    reset() {
      count = !isVolume && patients === 1 ? slices : null;
      expected = isVolume ? VOLUME_SLICES : (count ?? Math.max(1, Math.round(slices / patients)));
      slider.max = expected - 1;
      slider.value = Math.floor(expected / 2);
    },
    /** A slice was there: there may be more after it. */
    reached(slice) {
      if (count === null && !isVolume && slice >= Number(slider.max)) slider.max = slice + MORE;
    },
    /** One was not there: whether another can be shown in its place. */
    learn(detail) {
      const said = /there are (\d+)/.exec(detail);
      if (isVolume || !said || count !== null) return false;
      count = Number(said[1]);
      slider.max = count - 1;
      return true;
    },
    /** Whether it is there as far as one knows. */
    has: (slice) => slice >= 0 && slice < (count ?? expected),
    words: () => `The slice, and the same with the outline of its mask.${count === null ? "" : ` This patient has ${count} slice${count > 1 ? "s" : ""}.`}`,
  };
}
