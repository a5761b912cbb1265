// Measures a model on a dataset, beside another model if wanted.

import { busy, el, problemBox, show } from "../dom.js";
import { api, idempotencyKey, page, v1 } from "../api.js";
import { allMarked, choose, clearWrong, field } from "../fields.js";
import { count } from "./numbers.js";

const FLIPS = { "": undefined, yes: true, no: false };

const described = (dataset) => `${dataset.name} (${count(dataset.patients ?? 0, "patient")})`;

/** The form for the model of `card`; `ready` are datasets, `models` all cards. */
export function evaluateForm(card, models, ready) {
  const bySlice = card.metrics?.split_by === "slice";
  const kept = bySlice ? undefined : card.provenance?.split?.test?.length;
  const flips = card.test_time_augmentation ?? [];
  const dataset = choose("evaluate-dataset", ready.map((each) => [each.id, described(each)]));
  const split = choose("evaluate-split", [["all", "All patients"], ["test", `Only its test patients${kept === undefined ? "" : ` (${kept})`}`]]);
  const against = choose("evaluate-against", [["", "No other model"], ...models.filter((each) => each.id !== card.id).map((each) => [each.id, each.id])]);
  const augmented = choose("evaluate-flips", [["", "As in the card"], ["yes", "With"], ["no", "Without"]]);
  const submit = el("button", { type: "submit" }, "Evaluate");
  const trouble = el("div", {});
  const fields = {
    dataset: field(dataset, "Dataset", "Patients that the model learned from are found by their pictures and kept out of the numbers."),
    split: field(split, "Patients", "The test patients are those that the training of this very model kept apart."),
    against: field(against, "Compare with", "Both are measured on the same patients."),
    test_time_augmentation: field(augmented, "Averaging over flips", `Test-time augmentation: slower, mostly a little better. The card says ${flips.length ? "with" : "without"}.`),
  };
  const form = el("form", { novalidate: true, id: "evaluate" },
    el("div", { class: "columns" }, Object.values(fields)),
    trouble,
    el("p", { class: "actions" }, submit, el("span", { class: "hint" }, "A training worker does it, beside a training run.")));
  // the same request, sent again after a broken line, must make nothing twice; a changed one is another request
  let key = idempotencyKey();
  form.addEventListener("change", () => {
    key = idempotencyKey();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearWrong(Object.values(fields));
    show(trouble);
    busy(submit, async () => {
      const made = await api(v1(`models/${encodeURIComponent(card.id)}/evaluations`), {
        method: "POST",
        headers: { "Idempotency-Key": key },
        json: { dataset: dataset.value, split: split.value, against: against.value || undefined, test_time_augmentation: FLIPS[augmented.value] },
      });
      location.assign(page(`evaluations/${made.id}`));
    }, (problem) => allMarked(problem.errors, fields) || show(trouble, problemBox(problem)));
  });
  return form;
}
