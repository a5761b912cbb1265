// What is said about the mask at the chosen threshold, in the units that are known.

/**
 * {row, column, slice, source, pixel, voxel} in millimetres; parts that are not known are null.
 *
 * A grid that leans (a tilted gantry, an oblique sform) has smaller pixels and voxels than the product of its spacings:
 * `pixel` and `voxel` are by its steps, as voxel_size.py has them, as long as the spacings are the file's own.
 */
export function spacingOf(image) {
  const [row, column] = image.pixel_spacing_mm ?? [null, null];
  const slice = image.slice_spacing_mm ?? null;
  return { row, column, slice, source: image.pixel_spacing_source, ...bySteps(image.affine, row, column, slice) };
}

function bySteps(affine, row, column, slice) {
  if (!affine || !row || !column) return {};
  const [across, down, through] = [0, 1, 2].map((axis) => affine.slice(0, 3).map((line) => line[axis]));
  const area = length(cross(across, down)), volume = Math.abs(dot(through, cross(across, down)));
  if (!same(length(across), column) || !same(length(down), row)) return {};
  // the distance of slices is said along the step or along the slices' normal
  const own = slice && (same(length(through), slice) || same(volume / area, slice));
  return { pixel: area, voxel: own ? volume : null };
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const length = (a) => Math.hypot(...a);
const same = (a, b) => Math.abs(a - b) <= 1e-4 * Math.max(a, b);

/** Square millimetres of a pixel, or null. */
export const pixelArea = ({ row, column, pixel }) => pixel ?? (row && column ? row * column : null);

/** Cubic millimetres of a voxel, or null. */
export const voxelVolume = ({ row, column, slice, voxel }) => voxel ?? (row && column && slice ? row * column * slice : null);

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
