// Sends one upload. What got lost on the way is sent once more by itself, under the same key, so that it is made only once.

import { Problem, pause, upload, v1 } from "../api.js";

const WAIT_S = 5; // after that we follow the job by asking, which can tell how far it is
const PAUSE_S = 2, LONGEST_PAUSE_S = 30;

/** Whether it is unknown what became of the upload: nobody answered, or not in a way that settles it. */
export const unsettled = (error) => error instanceof Problem && (error.status === 0 || error.status >= 500 || error.code === "idempotency_in_progress");

/** The job that {files, modalities, fields, key} became; `onPause(error, seconds)` is told before it is sent again. Throws Problem. */
export async function send(item, { signal, onProgress, onPause }) {
  const post = () => upload(v1("segmentations"), form(item), { headers: { "Idempotency-Key": item.key }, signal, onProgress });
  try {
    return await post();
  } catch (error) {
    if (!unsettled(error)) throw error;
    const seconds = Math.min(error.retryAfter ?? PAUSE_S, LONGEST_PAUSE_S);
    onPause(error, seconds);
    await pause(seconds * 1000, signal);
    return post();
  }
}

function form({ fields, modalities, files }) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) data.append(name, value);
  data.append("wait", WAIT_S);
  // names of files often name patients, and the service has no use for them
  for (const [field, chosen] of Object.entries(modalities ?? { image: files })) for (const file of chosen) data.append(field, file, "image");
  return data;
}
