// The panel beside the stage: yes or no, the threshold, measurements, warnings, regions.

import { button, el, show, table } from "../dom.js";
import { number, percent } from "../format.js";
import { parseSpacing, pixelArea, voxelVolume } from "./measure.js";
import { levelThreshold } from "./mask.js";

const MOST_REGIONS = 20;
const NO_REGION = "None at this threshold.";

/** {headline, node, regions, sync(measured), said()}: elements that are kept up to date, and the verdict in words; `set(name, value)` changes the viewer's state. */
export function panel({ job, state, set, level, volume, highlight }) {
  const verdict = el("p", { class: "verdict" });
  const slider = el("input", { type: "range", id: "threshold-slider", min: 1, max: 255, value: level, "aria-describedby": "threshold-note",
    oninput: () => set("level", Number(slider.value)), onchange: () => set("settled", true) });
  const threshold = el("span", { class: "value", "aria-hidden": "true" }); // the slider says it
  const note = el("p", { class: "hint", id: "threshold-note" });
  const reset = button("Back to the model's own", () => { set("level", level); set("settled", true); slider.focus(); }, { class: "link" });
  const numbers = el("dl", {}), regions = el("div", {}), spacing = spacingForm(state, set, volume);
  const headline = el("div", { class: "viewer-verdict" }, verdict,
    job.warnings.map((warning) => el("div", { class: "notice warn", role: "note" }, el("strong", {}, "Careful: "), warning.detail)));
  const node = el("section", { class: "card panel", "aria-label": "Measurements" },
    el("div", { class: "control threshold" }, el("label", { for: "threshold-slider" }, "Threshold"), slider, threshold), note, reset,
    numbers, spacing.node);

  let listed = {};

  function sync(measured) {
    const own = state.level === level;
    slider.value = state.level;
    threshold.textContent = own ? number(job.result.threshold, 3) : levelThreshold(state.level).toFixed(3);
    slider.setAttribute("aria-valuetext", threshold.textContent);
    note.textContent = own
      ? "The threshold of this result. Move it to see what others would give."
      : `Computed here from the published probability map, by the service's own rule; send threshold=${threshold.textContent} to get the same.${job.result.classes?.length ? " Hatched: tumour at this threshold, of a class that is not known." : ""}`;
    reset.hidden = own;
    spacing.sync();
    const { answer, words, kind } = judged(measured.whole);
    show(verdict, el("span", { class: "answer" }, answer), " ", el("span", {}, words));
    verdict.className = `verdict ${kind}`;
    show(numbers, volume ? ofVolume(measured) : ofPicture(measured.whole));
    // made again only for other regions: who stands on one of its buttons would lose the place
    const wanted = volume && own ? job : measured.slice;
    if ((own || wanted) && (listed.of !== wanted || listed.spacing !== state.spacing)) {
      listed = { of: wanted, spacing: state.spacing };
      const of = own ? job.result.regions : counted(measured.slice);
      const where = volume && !own && el("p", { class: "hint" }, `Of slice ${state.index}, at this threshold.`);
      show(regions, where, volume && own ? volumeRegions(of, state, set) : pictureRegions(of, state, highlight));
    }
  }

  function ofPicture(whole) {
    const area = pixelArea(state.spacing);
    return [
      row("Coverage", `${(whole.coverage * 100).toFixed(2)} % of the image`),
      row("Area", area ? el("strong", {}, `${number(whole.area * area)} mm²`) : el("span", { class: "hint" }, "not in mm²: the pixel spacing is not known"), el("br"), `${number(whole.area)} pixels`),
      row("Smallest region", `${job.result.min_region_pixels} pixels; what is smaller is left out`),
    ];
  }

  function ofVolume({ slice, whole }) {
    const area = pixelArea(state.spacing), voxel = voxelVolume(state.spacing);
    const ofSlice = row(`Slice ${state.index}`, slice ? `${area ? `${number(slice.area * area)} mm², ` : ""}${number(slice.area)} pixels` : "…");
    if (!whole) return [row("All slices", "counted when the slider is let go…"), ofSlice];
    return [
      row("Volume", voxel ? el("strong", {}, `${number(whole.area * voxel)} mm³`) : el("span", { class: "hint" }, "not in mm³: the spacing is not known"), el("br"),
        voxel && whole.area * voxel >= 1000 && `${number((whole.area * voxel) / 1000)} ml, `, `${number(whole.area)} voxels`),
      row("Coverage", `${(whole.coverage * 100).toFixed(2)} % of the volume`),
      row("Slices with tumour", `${whole.areas.filter(Boolean).length} of ${whole.areas.length}`),
      ofSlice,
    ];
  }

  return { headline, node, regions, sync, said: () => `At threshold ${threshold.textContent}: ${verdict.textContent}` };
}

/** The verdict in words; null where not all slices were counted yet. */
function judged(whole) {
  if (!whole) return { answer: "…", words: "not counted at this threshold yet", kind: "waits" };
  if (!whole.area) return { answer: "No", words: `no tumour found · confidence ${percent(whole.confidence)}`, kind: "clear" };
  return { answer: "Yes", words: `tumour found · confidence ${percent(whole.confidence)}`, kind: "found" };
}

const row = (name, ...value) => [el("dt", {}, name), el("dd", {}, value)];

const counted = (measured) => (measured?.regions ?? []).map((region) => ({
  area_pixels: region.area, bbox: region.bbox, centroid: region.centroid.map((value) => Math.round(value * 100) / 100), max_diameter_mm: null,
}));

function pictureRegions(regions, state, highlight) {
  if (!regions.length) return NO_REGION;
  const area = pixelArea(state.spacing);
  const rows = regions.slice(0, MOST_REGIONS).map((region, index) => [
    el("button", { type: "button", class: "link", "aria-label": `Show region ${index + 1}`, onclick: () => highlight(region.bbox), onfocus: () => highlight(region.bbox, false), onblur: () => highlight(null), onmouseenter: () => highlight(region.bbox, false), onmouseleave: () => highlight(null) }, String(index + 1)),
    number(region.area_pixels), area ? number(region.area_pixels * area) : "–", number(region.max_diameter_mm), region.centroid.map((value) => Math.round(value)).join(", "),
  ]);
  return [
    table("Table of regions", ["#", "Pixels", "mm²", "Diameter, mm", "Centre x, y"], rows),
    regions.length > MOST_REGIONS && el("p", { class: "hint" }, `The first ${MOST_REGIONS} of ${regions.length}; the JSON has more.`),
  ];
}

function volumeRegions(regions, state, set) {
  if (!regions.length) return NO_REGION;
  const go = (index) => button(String(index), () => set("index", index), { class: "link", "aria-label": `Go to slice ${index}` });
  const voxel = voxelVolume(state.spacing);
  const rows = regions.slice(0, MOST_REGIONS).map((region, index) => [
    String(index + 1), number(region.voxels), voxel ? number(region.voxels * voxel) : "–", number(region.max_diameter_mm), el("span", {}, go(region.slices[0]), " to ", go(region.slices[1])),
  ]);
  return [
    table("Table of regions", ["#", "Voxels", "mm³", "Diameter, mm", "Slices"], rows),
    regions.length > MOST_REGIONS && el("p", { class: "hint" }, `The first ${MOST_REGIONS} of ${regions.length}; the JSON has more.`),
  ];
}

/** Asks for the spacing where the file does not say it; what is typed stays in this page. */
function spacingForm(state, set, volume) {
  const pixel = el("input", { id: "spacing-field", inputmode: "decimal", autocomplete: "off", placeholder: "0.5 or 0.5, 0.7", "aria-describedby": "spacing-note" });
  const slice = volume && el("input", { id: "slice-spacing-field", inputmode: "decimal", autocomplete: "off", placeholder: "3" });
  const wrong = el("p", { class: "wrong", role: "alert", hidden: true });
  const form = el("form", { class: "spacing", onsubmit: (event) => {
    event.preventDefault();
    const found = parseSpacing(pixel.value), between = volume && slice.value ? parseSpacing(slice.value) : null;
    const bad = !found || (volume && slice.value && !between);
    wrong.hidden = !bad;
    pixel.setAttribute("aria-invalid", String(!found));
    wrong.textContent = bad ? "One or two numbers of millimetres above 0 and up to 100, such as 0.5 or 0.5, 0.7." : "";
    if (!bad) set("spacing", { row: found[0], column: found[1], slice: between?.[0] ?? state.spacing.slice, source: "typed here" });
  } },
  el("label", { for: pixel.id }, "Pixel spacing in mm"), pixel,
  volume && [el("label", { for: slice.id }, "Slice spacing in mm"), slice],
  wrong, el("button", { class: "second small", type: "submit" }, "Use it"),
  el("p", { class: "hint", id: "spacing-note" }, "Row, column. It counts in this page only; send it with the image to keep it."));
  const details = el("details", {}, el("summary", {}), form);
  details.open = !pixelArea(state.spacing);
  return {
    node: details,
    sync() {
      const { row, column, slice: between, source } = state.spacing;
      details.firstChild.textContent = row ? `Spacing: ${row} × ${column}${between ? ` × ${between}` : ""} mm (${source})` : "Spacing not known: give it";
    },
  };
}
