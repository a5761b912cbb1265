// Slices of a dataset with the outline of the experts' mask: by patient, slice and modality.

import { button, el } from "../dom.js";
import { choose, field } from "../fields.js";
import { previewLoader } from "./preview_loader.js";

const SLOW_MS = 400; // from then on it is said that something loads

/** The viewer of this dataset's slices, as a <section>. */
export function preview(dataset) {
  const load = previewLoader(dataset.links.preview);
  const parts = controls(dataset);
  const { image, words, again, patient, slider, modality, number } = parts;
  let place = null; // of what is shown
  let asked = {}; // patient and slice, as the API takes them
  let late = 0;

  const showNow = async () => {
    image.classList.add("waits");
    const query = { ...asked, modality: modality.control.value };
    clearTimeout(late);
    late = setTimeout(waiting, SLOW_MS);
    const { source, problem, place: found } = await load(query);
    if (!source && !problem) return; // another one is waited for
    clearTimeout(late);
    image.classList.remove("waits");
    again.hidden = !problem;
    if (problem) {
      image.hidden = true; // no other slice stays in the place of one that is not there
      words.textContent = [problem.detail, ...Object.values(problem.errors).flat()].join(" ");
      return;
    }
    place = found;
    tell(place, query);
    asked = bySlice(place, place.index); // another modality is of the same slice
    image.src = source;
    image.hidden = false;
    for (const index of [place.index + 1, place.index - 1]) {
      if (index >= 0 && index < place.slices) load.ahead({ ...bySlice(place, index), modality: query.modality });
    }
  };
  const waiting = () => {
    const wanted = number.textContent ? `Slice ${number.textContent}` : "The picture";
    words.textContent = `${wanted} is loading.${image.hidden ? "" : ` This is still: ${image.alt}.`}`;
  };
  const tell = ({ name, slice, index, slices }, query) => {
    slider.control.max = slices - 1;
    slider.control.value = index;
    slider.control.disabled = slices < 2;
    number.textContent = `${index + 1} of ${slices}`;
    slider.control.setAttribute("aria-valuetext", number.textContent);
    const typing = document.activeElement === patient.control && patient.control.value.trim() !== (query.patient ?? "");
    if (!typing) patient.control.value = name;
    const which = dataset.format === "brats" ? `axial slice ${slice.split("/").at(-1)}` : slice.split("/").at(-1);
    const largest = query.slice_index === undefined ? ", the one with the largest tumour" : "";
    words.textContent = `Patient ${name}, ${which}${largest}: the slice, and the same with the outline of its mask.`;
    image.alt = `Patient ${name}, slice ${number.textContent}: without and with the outline of the mask`;
  };
  const toPatient = (wanted) => {
    asked = wanted;
    number.textContent = "";
    showNow();
  };
  const step = (by) => {
    const next = (asked.patient_index ?? place?.patient ?? 0) + by;
    if (next >= 0 && next < dataset.patients) toPatient({ patient_index: next });
  };
  patient.control.addEventListener("change", () => toPatient({ patient: patient.control.value.trim() }));
  parts.before.addEventListener("click", () => step(-1));
  parts.after.addEventListener("click", () => step(1));
  slider.control.addEventListener("input", () => {
    asked = bySlice(place, slider.control.value);
    number.textContent = `${Number(slider.control.value) + 1} of ${place.slices}`;
    showNow();
  });
  modality.control.addEventListener("change", showNow);
  again.addEventListener("click", showNow);
  toPatient({});
  return parts.node;
}

const bySlice = (place, index) => ({ patient_index: place.patient, slice_index: index });

function controls(dataset) {
  const last = dataset.patients - 1;
  const image = el("img", { alt: "", hidden: true });
  // many pictures side by side scroll where the window is narrow
  const scrolls = dataset.channels > 3 ? { tabindex: "0", role: "region", "aria-label": "Pictures" } : {};
  const stage = el("div", { class: "stage", ...scrolls }, image);
  const words = el("p", { class: "hint", role: "status" });
  const again = button("Try again", () => {}, { kind: "second small", hidden: true });
  const number = el("output", { class: "figure", for: "preview-slice" });
  const patient = field(el("input", { id: "preview-patient", autocomplete: "off", spellcheck: "false" }), "Patient",
    last > 0 ? `Number from 0 to ${last}, or name.` : "Number 0, or name.");
  const slider = field(el("input", { id: "preview-slice", type: "range", min: 0, disabled: true }), "Slice",
    dataset.format === "brats" ? "From the feet to the head, of those that show something. Arrow keys move it." : "Arrow keys move it.");
  slider.querySelector("label").after(number);
  const modality = field(choose("preview-modality", modalities(dataset), ""), "Modality", "One alone in grey, or all side by side.");
  const before = button("‹", () => {}, { kind: "icon", "aria-label": "Previous patient" });
  const after = button("›", () => {}, { kind: "icon", "aria-label": "Next patient" });
  const node = el("section", { class: "card", "aria-labelledby": "preview-title" },
    el("h2", { id: "preview-title" }, "Preview"),
    el("figure", { class: "preview" }, stage, el("figcaption", {}, words, again)),
    el("div", { class: "preview-controls" }, slider, el("div", { class: "with-steps" }, patient, before, after), modality),
    dataset.classes?.length > 1 && el("p", { class: "hint" }, "Outlines: ", dataset.classes.map((name, index) =>
      [el("span", { class: `swatch class-${index + 1}`, "aria-hidden": "true" }), `${name} `])));
  return { node, image, words, again, number, patient, slider, modality, before, after };
}

/** What can be shown of a slice. Colour pictures come in their colours unless one asks for something else; others side by side. */
function modalities({ channels, modalities: names, format }) {
  if (channels === 1) return [["", "the only one"]];
  const each = (names?.length ? names : Array.from({ length: channels }, (_, index) => String(index)))
    .map((name) => [name, names?.length ? name : `channel ${name}`]);
  const together = "all, side by side";
  return format === "brats" ? [["", together], ...each] : [["", "all, as colours"], ["all", together], ...each];
}
