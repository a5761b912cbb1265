// Fetches previews of a dataset: the one that was asked for last is shown, the latest are kept.

import { Problem } from "../api.js";
import { pictureSource } from "./picture_source.js";

const MOST_KEPT = 150;
const AWAIT_MS = 120; // the arrow keys pass slices by that nobody wants to see

/** Makes `load(state)`, which resolves to {source}, {problem}, or {} when another was asked for meanwhile; `load.ahead(state)` only fetches. */
export function previewLoader(address) {
  const kept = new Map();
  let turns = 0;
  const fetched = (state) => {
    const url = `${address}?${query(state)}`;
    if (!kept.has(url)) {
      kept.set(url, pictureSource(url));
      kept.get(url).catch(() => kept.delete(url));
      if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
    }
    return kept.get(url);
  };
  const load = async (state) => {
    const turn = (turns += 1);
    if (!kept.has(`${address}?${query(state)}`)) await new Promise((resolve) => setTimeout(resolve, AWAIT_MS));
    if (turn !== turns) return {};
    try {
      const source = await fetched(state);
      return turn === turns ? { source } : {};
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return turn === turns ? { problem } : {};
    }
  };
  load.ahead = (state) => {
    fetched(state).catch(() => null); // it is asked for again, and told, when somebody wants to see it
  };
  return load;
}

function query({ patient, slice, modality }) {
  const asked = new URLSearchParams({ patient });
  if (slice !== null) asked.set("slice", slice);
  if (modality) asked.set("modality", modality);
  return asked;
}
