// What the API found in a dataset, in words.

import { el } from "../dom.js";
import { bytes, number, percent, time } from "../format.js";

const PATIENTS_FROM = {
  folder: "the folder of each picture",
  file_name: "the names of the files",
  pattern: "the patient pattern",
  csv: "a CSV in the dataset",
  content: "the content: each picture is a patient, equal ones are one",
};
const SIZES_SHOWN = 6;

/** The facts as a <dl>; what is not known is left out. */
export function facts(dataset) {
  const rows = [
    ["Patients", dataset.patients, number(dataset.patients, 0)],
    ["Patients told by", dataset.patients_from, PATIENTS_FROM[dataset.patients_from] ?? dataset.patients_from],
    ["Slices", dataset.slices, dataset.slices !== null && `${number(dataset.slices, 0)}, ${number(dataset.tumour_slices, 0)} with tumour`],
    ["Tumour share", dataset.tumour_share, `${percent(dataset.tumour_share, 2)} of all pixels`],
    ["Channels", dataset.channels, channels(dataset)],
    ["Classes", dataset.classes?.length, dataset.classes?.map((name, index) => `${index + 1} ${name}`).join(", ")],
    ["Masks", dataset.truth, dataset.truth],
    ["Sizes", dataset.sizes?.length, sizes(dataset.sizes ?? [])],
    ["Bit depth", dataset.bit_depths?.length, dataset.bit_depths?.map((depth) => `${depth} bit`).join(", ")],
    ["Label values", dataset.label_values?.length, dataset.label_values?.join(", ")],
    ["Spacing", dataset.spacing_mm, dataset.spacing_mm && `${dataset.spacing_mm.map((each) => number(each, 2)).join(" × ")} mm (slices, rows, columns)`],
    ["Split by patient", dataset.split_feasible !== null, dataset.split_feasible ? "possible" : "not possible into three parts: too few patients"],
    ["Format", dataset.format, dataset.format],
    ...Object.entries(dataset.options).map(([name, value]) => [name.replace("_", " "), value, el("code", {}, value)]),
    ["Mounted folder", dataset.folder, el("code", {}, dataset.folder ?? "")],
    ["Archive", dataset.archive_bytes, dataset.archive_bytes && archive(dataset)],
    ["Added", dataset.created_at, time(dataset.created_at)],
  ];
  return el("dl", { class: "facts" }, rows.filter(([, known]) => known).map(([name, , value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function channels({ channels: count, modalities }) {
  return modalities?.length ? `${count}: ${modalities.join(", ")}` : String(count);
}

function archive({ archive_bytes: size, archive_sha256: digest }) {
  return [bytes(size), el("details", { class: "flat" }, el("summary", {}, "SHA-256"), el("code", {}, digest))];
}

function sizes(found) {
  const said = found.slice(0, SIZES_SHOWN).map(({ width, height, slices }) => `${width} × ${height}${found.length > 1 ? ` (${slices})` : ""}`);
  return said.join(", ") + (found.length > SIZES_SHOWN ? ", and more" : "");
}
