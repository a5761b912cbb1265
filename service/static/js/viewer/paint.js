// Paints a mask, a heat map or classes into a canvas of the picture's own size. Opacity is the browser's, so it costs nothing.

const OPAQUE = 255;
// perceptually even, from dark to bright: black, purple, red, orange, pale yellow
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** [red, green, blue] of a probability 0..255. */
function heatColor(value) {
  const at = (value / 255) * (HEAT.length - 1), low = Math.min(Math.floor(at), HEAT.length - 2);
  return HEAT[low].map((from, channel) => Math.round(from + (HEAT[low + 1][channel] - from) * (at - low)));
}

const rgba = (red, green, blue, alpha = OPAQUE) => new Uint32Array(new Uint8ClampedArray([red, green, blue, alpha]).buffer)[0];

// what is improbable lets the picture through
const HEAT_TABLE = Uint32Array.from({ length: 256 }, (_, value) => (value < 3 ? 0 : rgba(...heatColor(value), Math.min(OPAQUE, 60 + value * 2))));

/** `#ff8800` -> [255, 136, 0]. */
export const parseColor = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

const WHITE = rgba(255, 255, 255), BLACK = rgba(0, 0, 0);
// between the stripes of a hatching, as in its swatch: seen on bright tissue too, where stripes alone would not be
const BETWEEN = rgba(85, 85, 85);

/** Paints a slice and its mask (1 is tumour) into a canvas of width x height; keeps its buffer. */
export class Painter {
  constructor(canvas) {
    this.context = canvas.getContext("2d");
    this.data = this.context.createImageData(canvas.width, canvas.height);
    this.out = new Uint32Array(this.data.data.buffer);
  }

  /** As `view` says: fill, outline, mask, probability or image; the last two and the outline need no fill. */
  paint({ probability, labels }, mask, view, color) {
    const { out } = this;
    if (view === "fill") fill(out, mask, labels, rgba(...color), this.data.width);
    else if (view === "mask") for (let at = 0; at < out.length; at += 1) out[at] = mask[at] === 1 ? WHITE : BLACK;
    else if (view === "probability") for (let at = 0; at < out.length; at += 1) out[at] = HEAT_TABLE[probability[at]];
    else out.fill(0);
    this.context.putImageData(this.data, 0, 0);
  }
}

/** Tumour in one colour; where classes are known, each in its own, and hatched what another threshold added to them. */
function fill(out, mask, labels, color, width) {
  const known = labels && new Uint32Array(labels.data.buffer);
  for (let at = 0; at < out.length; at += 1) {
    if (mask[at] !== 1) out[at] = 0;
    else if (!known) out[at] = color;
    else if (known[at] !== BLACK) out[at] = known[at];
    else out[at] = hatched(at, width) ? color : BETWEEN;
  }
}

/** Stripes from the lower left to the upper right, two pixels of four. */
const hatched = (at, width) => ((at % width) + Math.floor(at / width)) % 4 < 2;
