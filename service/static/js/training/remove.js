// Deleting what training needs and leaves, after asking.

import { api, v1 } from "../api.js";
import { announce, el } from "../dom.js";
import { dialog } from "../dialog.js";

/** Asks, and deletes the dataset; resolves to whether it is gone. */
export async function deleteDataset(dataset) {
  const stays = dataset.folder ? `The folder ${dataset.folder} stays where it is.` : "Its files are removed.";
  return remove("dataset", dataset, `datasets/${dataset.id}`,
    `${stays} Training runs that still learn from it will fail. Models that were trained on it stay.`);
}

/** Asks, and deletes the run; resolves to whether it is gone. */
export async function deleteRun(run) {
  return remove("training run", run, `training-runs/${run.id}`,
    "Its checkpoint, log and pictures are removed, so it cannot be resumed. Its model stays.");
}

async function remove(what, { name }, path, text) {
  const gone = await dialog({
    title: `Delete “${name}”?`, content: el("p", {}, text), action: `Delete ${what}`, kind: "danger", leave: "Keep it",
    work: () => api(v1(path), { method: "DELETE" }),
  });
  if (gone) announce(`${name} is deleted.`);
  return gone;
}
