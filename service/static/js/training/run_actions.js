// What can be done with a training run, as buttons that depend on its state.

import { api, page } from "../api.js";
import { announce, button, el } from "../dom.js";
import { dialog } from "../dialog.js";
import { showOnce } from "./keyed_rows.js";
import { deleteRun } from "./remove.js";
import { ended } from "./states.js";

/** The buttons; `node.update(run)` shows those of its state. `onRun(run)` gets the run after it was cancelled or resumed, `onProblem` why not. */
export function runActions(onRun, onProblem) {
  const node = el("div", { class: "actions" });
  node.update = (run) => showOnce(node, run.status, () => buttons(run, onRun, onProblem));
  return node;
}

function buttons(run, onRun, onProblem) {
  return [
    ["queued", "running"].includes(run.status) && button("Cancel", () => cancel(run, onRun), { kind: "quiet" }),
    ["cancelled", "failed"].includes(run.status) && button("Resume", (event) => resume(run, event.currentTarget, onRun, onProblem), { kind: "" }),
    el("a", { class: "button second", href: page(`training/new?like=${run.id}`) }, "Start another like it"),
    el("a", { class: "button second", href: run.links.report }, "Report"),
    ended(run) && button("Delete", async () => {
      if (await deleteRun(run)) location.assign(page("training"));
    }, { kind: "quiet" }),
  ];
}

function cancel(run, onRun) {
  return dialog({
    title: `Cancel “${run.name}”?`, content: el("p", {}, "It stops after the step that it is at. Its last checkpoint is kept, so that it can be resumed."),
    action: "Cancel the run", kind: "danger", leave: "Let it go on",
    work: async () => {
      onRun(await api(run.links.cancel, { method: "POST" }));
      announce("The run is being cancelled.");
    },
  });
}

async function resume(run, node, onRun, onProblem) {
  node.disabled = true;
  try {
    onRun(await api(run.links.resume, { method: "POST" }));
    announce("The run goes on from its last checkpoint as soon as a worker is free.");
  } catch (problem) {
    node.disabled = false;
    onProblem(problem);
  }
}
