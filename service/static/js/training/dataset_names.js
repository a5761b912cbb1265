// Names of datasets by id; each that no list has shown is asked for once.

import { api, Problem, v1 } from "../api.js";

const names = new Map();

/** id -> name for these ids, null where the dataset is gone; `shown` are datasets that are here already. */
export async function namesOf(ids, shown = []) {
  for (const { id, name } of shown) names.set(id, name);
  const missing = [...new Set(ids)].filter((id) => !names.has(id));
  await Promise.all(missing.map(async (id) => {
    try {
      names.set(id, (await api(v1(`datasets/${id}`))).name);
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 404) throw problem;
      names.set(id, null);
    }
  }));
  return names;
}
