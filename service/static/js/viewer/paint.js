// Paints a mask, a heat map or classes into a canvas of the picture's own size. Opacity is the browser's, so it costs nothing.

const OPAQUE = 255;
// perceptually even, from dark to bright: black, purple, red, orange, pale yellow
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** [red, green, blue] of a probability 0..255, as the legend shows it. */
export function heatColor(value) {
  const at = (value / 255) * (HEAT.length - 1), low = Math.min(Math.floor(at), HEAT.length - 2);
  return HEAT[low].map((from, channel) => Math.round(from + (HEAT[low + 1][channel] - from) * (at - low)));
}

const rgba = (red, green, blue, alpha = OPAQUE) => new Uint32Array(new Uint8ClampedArray([red, green, blue, alpha]).buffer)[0];

// what is improbable lets the picture through
const HEAT_TABLE = Uint32Array.from({ length: 256 }, (_, value) => (value < 3 ? 0 : rgba(...heatColor(value), Math.min(OPAQUE, 60 + value * 2))));

/** `#ff8800` -> [255, 136, 0]. */
export const parseColor = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

/** Paints `slice` with `mask` (1 is tumour) as `view` says: fill, outline, mask, probability or image. */
export function paint(context, { width, height }, slice, mask, view, color) {
  const data = context.createImageData(width, height);
  const out = new Uint32Array(data.data.buffer);
  if (view === "fill") fill(out, mask, slice.labels, rgba(...color));
  else if (view === "mask") for (let at = 0; at < out.length; at += 1) out[at] = mask[at] === 1 ? rgba(255, 255, 255) : rgba(0, 0, 0);
  else if (view === "probability") for (let at = 0; at < out.length; at += 1) out[at] = HEAT_TABLE[slice.probability[at]];
  context.putImageData(data, 0, 0);
}

/** Tumour in one colour; where classes are known, each in its own, and what another threshold added in the one colour. */
function fill(out, mask, labels, color) {
  const known = labels && new Uint32Array(labels.data.buffer);
  const none = rgba(0, 0, 0);
  for (let at = 0; at < out.length; at += 1) {
    if (mask[at] === 1) out[at] = known && known[at] !== none ? known[at] : color;
  }
}
