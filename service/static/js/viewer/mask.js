// From the published 8-bit probability map to the mask, by the service's own rule (shared/masks/binary_mask.py): the same pixels.

/** Smallest 8-bit probability that counts as tumour: ceil(threshold * 255), at least 1. */
export const thresholdLevel = (threshold) => Math.max(1, Math.ceil(threshold * 255 - 1e-9));

/** The threshold to send for a level: three digits, rounded down, which the service takes for exactly this level. */
export const levelThreshold = (level) => Math.floor((level / 255) * 1000 + 1e-6) / 1000;

const OUT = 0, IN = 1, DROPPED = 2;

/** Makes masks of pictures of one size; keeps its buffers, because a slider asks for sixty masks a second. */
export class Masker {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.mask = new Uint8Array(width * height); // 1 is tumour; 2 was left out as too small
    this.queue = new Int32Array(width * height);
  }

  /**
   * Pixels of at least `level`, without 8-connected regions under `minRegion` pixels.
   *
   * Returns area in pixels, confidence 0..1 (as measure.py has it) and the regions, the largest first:
   * {area, bbox: [x, y, width, height], centroid: [x, y]}.
   */
  make(probability, level, minRegion) {
    const { mask, width } = this;
    mask.fill(OUT);
    const regions = [];
    let area = 0, sum = 0, left = 0;
    for (let start = 0; start < probability.length; start += 1) {
      const value = probability[start];
      if (value < level) {
        if (value > left) left = value;
        continue;
      }
      if (mask[start] !== OUT) continue;
      const region = this.#grow(probability, level, start);
      if (region.area < minRegion) {
        for (let at = 0; at < region.area; at += 1) mask[this.queue[at]] = DROPPED;
        continue;
      }
      area += region.area;
      sum += region.sum;
      regions.push({
        area: region.area,
        bbox: [region.left, region.top, region.right - region.left + 1, region.bottom - region.top + 1],
        centroid: [region.x / region.area, region.y / region.area],
      });
    }
    regions.sort((a, b) => b.area - a.area);
    return { area, confidence: area ? sum / area / 255 : 1 - left / 255, coverage: area / (width * this.height), regions };
  }

  /** Marks the region around `start` as IN; its pixels are the first `area` of the queue. */
  #grow(probability, level, start) {
    const { mask, queue, width, height } = this;
    let head = 0, tail = 0, sum = 0, xs = 0, ys = 0, left = width, right = 0, top = height, bottom = 0;
    queue[tail++] = start;
    mask[start] = IN;
    while (head < tail) {
      const at = queue[head++], x = at % width, y = (at - x) / width;
      sum += probability[at];
      xs += x;
      ys += y;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
      for (let ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < height; ny += 1) {
        for (let nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < width; nx += 1) {
          const next = ny * width + nx;
          if (mask[next] === OUT && probability[next] >= level) {
            mask[next] = IN;
            queue[tail++] = next;
          }
        }
      }
    }
    return { area: tail, sum, x: xs, y: ys, left, right, top, bottom };
  }
}

/** The border of a mask (1 is tumour) as an SVG path along the pixels' edges, in image coordinates. */
export function outline(mask, width, height) {
  const { left, right, top, bottom } = bounds(mask, width);
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] === IN;
  const parts = [];
  for (let y = top; y <= bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      if (inside(x, y) === inside(x, y - 1)) continue;
      const from = x;
      while (x + 1 < right && inside(x + 1, y) !== inside(x + 1, y - 1)) x += 1;
      parts.push(`M${from} ${y}H${x + 1}`);
    }
  }
  for (let x = left; x <= right; x += 1) {
    for (let y = top; y < bottom; y += 1) {
      if (inside(x, y) === inside(x - 1, y)) continue;
      const from = y;
      while (y + 1 < bottom && inside(x, y + 1) !== inside(x - 1, y + 1)) y += 1;
      parts.push(`M${x} ${from}V${y + 1}`);
    }
  }
  return parts.join("");
}

/** The box of a mask's pixels, right and bottom exclusive; of an empty one, nothing is between them. */
function bounds(mask, width) {
  let left = width, right = 0, top = Infinity, bottom = 0;
  for (let at = 0; at < mask.length; at += 1) {
    if (mask[at] !== IN) continue;
    const x = at % width, y = (at - x) / width;
    if (x < left) left = x;
    if (x >= right) right = x + 1;
    if (top === Infinity) top = y;
    bottom = y + 1;
  }
  return { left, right, top: Math.min(top, bottom), bottom };
}
