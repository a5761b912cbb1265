// The classes of tumour that the model tells apart, measured.

import { el, table } from "../dom.js";
import { number } from "../format.js";
import { pixelArea, voxelVolume } from "./measure.js";

/** The table in the units that are known; classes are published at the result's own threshold only. */
export function classTable({ classes, threshold }, { spacing, color }, own) {
  const pixel = pixelArea(spacing), voxel = voxelVolume(spacing);
  const rows = classes.map(({ label, name, area_pixels: pixels }) => [
    el("span", {}, el("span", { class: `swatch class-${((label - 1) % 5) + 1}`, "aria-hidden": "true" }), name),
    number(pixels), pixel ? number(pixels * pixel) : "–", voxel ? number(pixels * voxel) : "–",
  ]);
  const hatch = el("span", { class: "swatch hatched", "aria-hidden": "true" });
  hatch.style.setProperty("--hatch", color);
  return [
    !own && el("p", {}, hatch, "tumour, class not known at this threshold"),
    !own && el("p", { class: "hint" }, `At the result's own threshold, ${number(threshold, 3)}: classes are published for that one only.`),
    table("Table of classes", ["Class", "Pixels", "mm²", "mm³"], rows),
  ];
}
