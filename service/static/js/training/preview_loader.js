// Fetches previews of a dataset: the one that was asked for last is shown, the latest are kept.

import { Problem } from "../api.js";
import { pictureSource } from "./picture_source.js";

const MOST_KEPT = 150;
const AWAIT_MS = 120; // the arrow keys pass slices by that nobody wants to see

/**
 * Makes `load(query)`, which resolves to {source, place}, {problem}, or {} when another was asked for meanwhile;
 * `load.ahead(query)` only fetches. `query` has parameters of the API; `place` says what is shown.
 */
export function previewLoader(address) {
  const kept = new Map();
  let turns = 0;
  const fetched = (url) => {
    if (!kept.has(url)) {
      kept.set(url, pictureSource(url));
      kept.get(url).catch(() => kept.delete(url));
      if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
    }
    return kept.get(url);
  };
  const load = async (query) => {
    const turn = (turns += 1), url = addressOf(address, query);
    if (!kept.has(url)) await new Promise((resolve) => setTimeout(resolve, AWAIT_MS));
    if (turn !== turns) return {};
    try {
      const { source, headers } = await fetched(url);
      return turn === turns ? { source, place: placeIn(headers) } : {};
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return turn === turns ? { problem } : {};
    }
  };
  load.ahead = (query) => {
    fetched(addressOf(address, query)).catch(() => null); // it is asked for again, and told, when somebody wants to see it
  };
  return load;
}

function addressOf(address, query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== "");
  return `${address}?${new URLSearchParams(given)}`;
}

/** Patient and slice by name and by place from 0, and how many slices there are. */
function placeIn(headers) {
  const [name, slice] = ["X-Patient", "X-Slice"].map((header) => decodeURIComponent(headers.get(header)));
  const [patient, index, slices] = ["X-Patient-Index", "X-Slice-Index", "X-Slices"].map((header) => Number(headers.get(header)));
  return { name, patient, slice, index, slices };
}
