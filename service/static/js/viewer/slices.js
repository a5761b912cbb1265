// Loads what the viewer shows of a slice: the picture, its probability map and its classes. Keeps the last ones in memory.

import { picture } from "../api.js";

const KEEP_BYTES = 96 * 1024 * 1024;

/** Bytes of a greyscale PNG (H * W), exactly as they are in the file. */
async function greyBytes(blob) {
  const { data, width, height } = await pixels(blob);
  const grey = new Uint8Array(width * height);
  for (let at = 0; at < grey.length; at += 1) grey[at] = data[at * 4];
  return grey;
}

async function pixels(blob) {
  // no colour management: a probability of 51 must stay 51
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function address(link, options) {
  const at = new URL(link, location.href);
  for (const [name, value] of Object.entries(options)) if (value !== null) at.searchParams.set(name, value);
  return at;
}

/** The slices of a job that succeeded; a single picture has one, number 0. */
export class Slices {
  #kept = new Map();

  constructor(job) {
    this.links = job.links;
    this.volume = "slices" in job.image;
    this.count = this.volume ? job.image.slices : 1;
    this.across = job.result.min_region_plane === "rows";
    this.bytesEach = job.image.width * job.image.height * 6;
  }

  /** Whether a slice is in memory. */
  has(index, modality) {
    return this.#kept.get(`${index} ${modality}`)?.done ?? false;
  }

  /**
   * {index, modality, image: ImageBitmap, probability: Uint8Array, labels: ImageData or null, own: Uint8Array or null}.
   *
   * `own` is the published mask, where it cannot be made of the slice alone. What nobody waits for any more is broken
   * off. Throws Problem, AbortError.
   */
  load(index, modality, signal) {
    const key = `${index} ${modality}`;
    let entry = this.#kept.get(key);
    if (entry) this.#kept.delete(key); // and set again: the last one used is the last one to go
    else entry = this.#begin(key, index, modality);
    this.#kept.set(key, entry);
    if (!entry.done) this.#wait(key, entry, signal);
    this.#forget();
    return entry.slice;
  }

  #begin(key, index, modality) {
    const ending = new AbortController();
    const entry = { ending, waiting: 0, done: false, slice: this.#fetch(index, modality, ending.signal) };
    entry.slice.then(() => { entry.done = true; }, () => this.#drop(key, entry));
    return entry;
  }

  #wait(key, entry, signal) {
    entry.waiting += 1;
    signal.addEventListener("abort", () => {
      entry.waiting -= 1;
      if (entry.done || entry.waiting) return;
      this.#drop(key, entry); // at once, so that nobody gets what is being broken off
      entry.ending.abort();
    }, { once: true });
  }

  #drop(key, entry) {
    if (this.#kept.get(key) === entry) this.#kept.delete(key);
  }

  #forget() {
    const most = Math.max(8, Math.floor(KEEP_BYTES / this.bytesEach));
    for (const [key, { done }] of this.#kept) {
      if (this.#kept.size <= most) break;
      if (done) this.#kept.delete(key);
    }
  }

  /** Loads the neighbours, so that the next step shows at once; nobody minds if that fails. */
  async ahead(index, modality, signal) {
    for (const step of [1, -1, 2, -2, 3, -3]) {
      const next = index + step;
      if (next >= 0 && next < this.count && !signal.aborted) await this.load(next, modality, signal).catch(() => {});
    }
  }

  /** The probability map alone, not kept. */
  async probability(index, signal) {
    return greyBytes(await picture(address(this.links.probability, { slice: this.volume ? index : null }), signal));
  }

  async #fetch(index, modality, signal) {
    const slice = this.volume ? index : null;
    const [image, probability, labels, own] = await Promise.all([
      picture(address(this.links.image, { slice, modality }), signal).then((blob) => createImageBitmap(blob)),
      this.probability(index, signal),
      this.links.labels ? picture(address(this.links.labels, { slice }), signal).then(pixels) : null,
      this.across ? picture(address(this.links.mask, { slice }), signal).then(greyBytes) : null,
    ]);
    return { index, modality, image, probability, labels, own };
  }
}
