// What is said about the mask at the chosen threshold, in the units that are known.

/** {row, column, slice, source} in millimetres; parts that are not known are null. */
export function spacingOf(image) {
  const [row, column] = image.pixel_spacing_mm ?? [null, null];
  return { row, column, slice: image.slice_spacing_mm ?? null, source: image.pixel_spacing_source };
}

/** Square millimetres of a pixel, or null. */
export const pixelArea = ({ row, column }) => (row && column ? row * column : null);

/** Cubic millimetres of a voxel, or null. */
export const voxelVolume = (spacing) => (pixelArea(spacing) && spacing.slice ? pixelArea(spacing) * spacing.slice : null);

/** "0.5" or "0.5, 0.7" -> [row, column]; null if it is not that. */
export function parseSpacing(text) {
  const parts = text.split(/[,;\s]+/).filter(Boolean).map(Number);
  if (parts.length < 1 || parts.length > 2 || !parts.every((part) => part > 0 && part <= 100)) return null;
  return [parts[0], parts[1] ?? parts[0]];
}

/** Totals of a volume from those of its slices [{area, sum, left}], as measure_volume.py has them. */
export function total(slices, pixels) {
  const area = slices.reduce((all, each) => all + each.area, 0);
  const confidence = area
    ? slices.reduce((all, each) => all + each.confidence * each.area, 0) / area
    : Math.min(...slices.map((each) => each.confidence));
  return { area, confidence, coverage: area / (pixels * slices.length), areas: slices.map((each) => each.area) };
}
