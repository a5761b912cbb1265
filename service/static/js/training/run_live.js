// Follows a training run as it happens: by server-sent events, by asking again and again where these fail.

import { api, follow, Problem } from "../api.js";
import { ended } from "./states.js";

const SETTLE_MS = 150; // events come in bunches, above all those that were missed
const QUIET_MS = 8000; // the stream ends now and then and comes back within a second or two
const ASK_EVERY_MS = 2500;

/**
 * Follows `run` until it has ended. `onRun(run)` gets the whole resource, `onProgress(progress)` and `onEpoch(epoch)` what
 * came by itself, `onTrouble(problem or null)` whether the service is out of reach. Returns a function that stops.
 */
export function followRun(run, { onRun, onProgress, onEpoch, onTrouble }) {
  const stop = new AbortController();
  const source = new EventSource(run.links.events);
  let reading = null, quiet = null;
  stop.signal.addEventListener("abort", () => {
    source.close();
    clearTimeout(reading);
    clearTimeout(quiet);
  });

  const read = async () => {
    try {
      const now = await api(run.links.self, { signal: stop.signal });
      onTrouble(null);
      onRun(now);
      if (ended(now)) stop.abort();
    } catch (error) {
      if (error instanceof Problem && !stop.signal.aborted) onTrouble(error);
    }
  };
  const ask = async () => {
    source.close();
    clearTimeout(quiet);
    try {
      await follow(run.links.self, { done: ended, onChange: onRun, onTrouble, every: ASK_EVERY_MS, signal: stop.signal });
    } catch (error) {
      if (error instanceof Problem) onTrouble(error);
    }
  };

  // statuses of the past come again too, so an event only says that it is time to read the run
  source.addEventListener("status", () => {
    clearTimeout(reading);
    reading = setTimeout(read, SETTLE_MS);
  });
  source.addEventListener("epoch", (event) => onEpoch(JSON.parse(event.data)));
  source.addEventListener("progress", (event) => onProgress(JSON.parse(event.data)));
  source.addEventListener("open", () => {
    clearTimeout(quiet);
    quiet = null;
    onTrouble(null);
  });
  source.addEventListener("error", () => {
    // closed: refused, or nothing is left (204); the run itself says which
    if (source.readyState === EventSource.CLOSED) ask();
    else quiet ??= setTimeout(ask, QUIET_MS); // each try that fails is an error too, and must not put it off
  });
  return () => stop.abort();
}
