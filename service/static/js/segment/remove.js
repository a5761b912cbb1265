// Deleting a segmentation, after asking.

import { Problem, api } from "../api.js";
import { dialog } from "../dialog.js";
import { announce, el } from "../dom.js";

/** Asks, and deletes the job with its image; resolves to whether it is gone. */
export async function deleteJob(job) {
  const gone = await dialog({
    title: "Delete this image and its result?",
    content: el("p", {}, "Pixels, mask and all files of it are removed from the service at once."),
    action: "Delete", kind: "danger", leave: "Keep it", work: () => remove(job),
  });
  if (gone) announce("Deleted");
  return gone;
}

async function remove(job) {
  try {
    await api(job.links.self, { method: "DELETE" });
  } catch (error) {
    const gone = error instanceof Problem && [404, 410].includes(error.status);
    if (!gone) throw error; // else it has expired meanwhile, or was deleted elsewhere
  }
}
