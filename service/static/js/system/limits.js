// What the service takes, its version, and what the key of this session may do.

import { chip, el } from "../dom.js";
import { bytes, number, words } from "../format.js";

const NAMES = {
  max_upload_bytes: "Picture", max_pixels: "Pixels of a picture", max_volume_bytes: "Volume", max_volume_files: "Files of a volume",
  max_dataset_bytes: "Dataset", max_model_bytes: "Archive of a model", max_queued: "Pictures waiting", max_queued_volumes: "Volumes waiting",
  max_queued_runs: "Training runs waiting", retention_hours: "Results are kept",
};

function amount(name, value) {
  if (name.endsWith("_bytes")) return bytes(value);
  return name.endsWith("_hours") ? `${number(value)} hours` : number(value);
}

/** The limits as pairs. */
export const limitList = (limits) => el("dl", { class: "key-values" }, Object.entries(limits).map(([name, value]) =>
  [el("dt", {}, NAMES[name] ?? words(name)), el("dd", {}, amount(name, value))]));

/** Version and key. */
export const aboutList = ({ version, key }) => el("dl", { class: "key-values" },
  el("dt", {}, "Version"), el("dd", {}, version),
  key && [
    el("dt", {}, "Key of this session"), el("dd", {}, key.name && key.name !== key.id ? `${key.name} (${key.id})` : key.id),
    el("dt", {}, "It may"), el("dd", { class: "chips" }, key.scopes.map((scope) => chip(scope))),
  ]);
