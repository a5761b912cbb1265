// The fields of several sequences: files that are dropped on one stay in it, and all go together as one upload.

import { announce } from "../dom.js";
import { droppedFiles, sorted } from "./files.js";

/** The file field that something was dropped on, or null. */
export const fieldAt = (target) => (target instanceof Element && target.closest(".field")?.querySelector("[data-modality]")) || null;

/** Puts the images of a drop into a field, or all of it where none is one; resolves to {leftOut, hidden} of `sorted`. */
export async function fill(field, transfer) {
  const files = await droppedFiles(transfer), { dicom, others, leftOut, hidden } = await sorted(files);
  const into = new DataTransfer(), images = [...dicom, ...others];
  for (const file of images.length ? images : files) into.items.add(file);
  field.files = into.files;
  announce(`${field.labels[0].textContent}: ${into.files.length === 1 ? into.files[0].name : `${into.files.length} files`}`);
  return images.length ? { leftOut, hidden } : { leftOut: [], hidden: 0 };
}

/** What the fields hold, as uploads: one, or none where all are empty. They are empty after that. */
export function taken(form) {
  const filled = [...form.querySelectorAll("[data-modality]")].filter((each) => each.files.length);
  if (!filled.length) return [];
  const modalities = Object.fromEntries(filled.map((each) => [each.name, [...each.files]]));
  const name = `${filled.length === 1 ? "1 sequence" : `${filled.length} sequences`} (${filled.map((each) => each.labels[0].textContent.replace(/ volume$/, "")).join(", ")})`;
  for (const each of filled) each.value = "";
  return [{ name, files: Object.values(modalities).flat(), modalities }];
}
