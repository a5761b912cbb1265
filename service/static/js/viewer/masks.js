// The mask of a result at any threshold, as the service would make it: of one slice, and counted over all of them.

import { pause } from "../api.js";
import { Masker, thresholdLevel } from "./mask.js";
import { total } from "./measure.js";

/** What makes the masks of a job; `slices` loads what they are made of. */
export function masksOf(job, slices) {
  return job.result.min_region_plane === "rows" ? new AcrossMasks(job, slices) : new SliceMasks(job, slices);
}

/** Pictures, and volumes whose slices are looked at one by one. */
class SliceMasks {
  constructor({ image, result }, slices) {
    Object.assign(this, { slices, pixels: image.width * image.height, size: [image.width, image.height], smallest: result.min_region_pixels });
    this.own = thresholdLevel(result.threshold);
    this.masker = new Masker(image.width, image.height);
  }

  /** {mask, area, confidence, coverage, regions, sure} of a slice; the mask is overwritten by the next one. */
  ofSlice(slice, level) {
    return { ...this.masker.make(slice.probability, level, this.smallest), mask: this.masker.mask, sure: true };
  }

  /** {area, confidence, coverage, areas} of all slices. Throws Problem, AbortError. */
  async ofAll(level, signal) {
    const masker = new Masker(...this.size), measured = [];
    for (let index = 0; index < this.slices.count; index += 1) {
      measured.push(masker.make(await this.slices.probability(index, signal), level, this.smallest));
    }
    return total(measured, this.pixels);
  }
}

/**
 * Volumes that the network saw in axial slices cut across those that are shown: small regions are left out of the planes
 * through one row of all slices, so the mask of a slice needs all of them.
 */
class AcrossMasks {
  constructor({ image, result }, slices) {
    Object.assign(this, { slices, W: image.width, H: image.height, D: image.slices, smallest: result.min_region_pixels, counted: null });
    this.own = thresholdLevel(result.threshold);
    this.masker = new Masker(image.width, image.height);
  }

  /** As SliceMasks; `sure` is false where all slices were not counted yet: then small regions are still in it. */
  ofSlice(slice, level) {
    if (level === this.own) return this.#told(slice.own);
    const each = this.W * this.H;
    if (level === this.counted) return this.#told(this.mask.subarray(slice.index * each, (slice.index + 1) * each));
    return { ...this.masker.make(slice.probability, level, 1), mask: this.masker.mask, sure: false };
  }

  #told(mask) {
    const { area, coverage, regions } = this.masker.make(mask, 1, 1);
    return { area, coverage, regions, confidence: null, mask: this.masker.mask, sure: true };
  }

  async ofAll(level, signal) {
    this.map ??= await this.#load(signal);
    const { D, H, W } = this, masker = new Masker(W, D), plane = new Uint8Array(D * W), measured = [];
    const mask = new Uint8Array(this.map.length), areas = new Array(D).fill(0);
    for (let row = 0; row < H; row += 1) {
      const at = (slice) => (slice * H + row) * W;
      for (let slice = 0; slice < D; slice += 1) plane.set(this.map.subarray(at(slice), at(slice) + W), slice * W);
      measured.push(masker.make(plane, level, this.smallest));
      for (let slice = 0; slice < D; slice += 1) {
        for (let x = 0; x < W; x += 1) {
          if (masker.mask[slice * W + x] !== 1) continue;
          mask[at(slice) + x] = 1;
          areas[slice] += 1;
        }
      }
      if (row % 32 === 0) await pause(0, signal); // the page stays alive
    }
    Object.assign(this, { mask, counted: level });
    return { ...total(measured, D * W), areas };
  }

  /** The probabilities of the whole volume. */
  async #load(signal) {
    const each = this.W * this.H, map = new Uint8Array(this.D * each);
    for (let index = 0; index < this.D; index += 1) map.set(await this.slices.probability(index, signal), index * each);
    return map;
  }
}
