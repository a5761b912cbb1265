// Datasets, for names and for choosing; keys without the scope train see none.

import { all, may, v1 } from "../api.js";

/** All datasets that this key sees; an error is none, because names are all that would be missing. */
export async function datasets() {
  try {
    return may("train") ? await all(v1("datasets")) : [];
  } catch {
    return [];
  }
}

/** id -> name. */
export async function datasetNames() {
  return new Map((await datasets()).map((dataset) => [dataset.id, dataset.name]));
}
