// How the states of datasets and training runs are said and shown.

import { chip } from "../dom.js";
import { duration } from "../format.js";

const RUNS = {
  queued: ["Queued", "plain"],
  running: ["Running", "busy"],
  cancelling: ["Cancelling", "warn"],
  cancelled: ["Cancelled", "plain"],
  succeeded: ["Succeeded", "ok"],
  failed: ["Failed", "bad"],
};
const DATASETS = { validating: ["Validating", "busy"], ready: ["Ready", "ok"], failed: ["Failed", "bad"] };
const STAGES = { loading: "Loading the dataset", training: "Training", validating: "Validating", saving: "Saving the model" };

/** Whether a run is at an end; it may be resumed all the same. */
export const ended = (run) => ["cancelled", "succeeded", "failed"].includes(run.status);

/** The chip of a run's status. */
export const runChip = (status) => chip(...(RUNS[status] ?? [status, "plain"]));

/** The chip of a dataset's status. */
export const datasetChip = (status) => chip(...(DATASETS[status] ?? [status, "plain"]));

/** How much of a run is done, 0 to 1; null while it is not known. */
export function share({ stage, epoch, epochs, step, steps }) {
  if (!epochs) return null;
  // steps of all epochs together; after a validation they are counted anew only with the next step
  if (stage === "training" && steps) return Math.max(step / steps, (epoch ?? 0) / epochs);
  if (stage === "saving") return 1;
  // an epoch is counted once it is validated: until then the bar would jump back
  return Math.min(1, ((epoch ?? 0) + (stage === "validating" ? 1 : 0)) / epochs);
}

/** "Training · epoch 2 of 6 · step 14 of 60 · about 12 s left". */
export function progressWords({ stage, epoch, epochs, step, steps, eta_s: eta }) {
  if (!stage) return "";
  const now = Math.min((epoch ?? 0) + 1, epochs ?? 0);
  const inEpochs = epochs && (stage === "training" || (stage === "validating" && (epoch ?? 0) < epochs));
  return [
    STAGES[stage] ?? stage,
    inEpochs && `epoch ${now} of ${epochs}`,
    steps > 0 && step > 0 && `${stage === "training" ? "step" : "slice"} ${step} of ${steps}`,
    eta !== null && eta !== undefined && `about ${duration(eta)} left`,
  ].filter(Boolean).join(" · ");
}

/** The epoch with the highest validation Dice; undefined before the first validation. */
export function bestEpoch(epochs) {
  return epochs.filter((each) => Number.isFinite(each.validation_dice))
    .reduce((best, each) => (best === undefined || each.validation_dice > best.validation_dice ? each : best), undefined);
}

/** Seconds that a run has been at work, until now or its end; null before it began. */
export function seconds(run) {
  if (!run.started_at) return null;
  return (new Date(run.finished_at ?? Date.now()) - new Date(run.started_at)) / 1000;
}
