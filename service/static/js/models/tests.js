// The statistical tests of an evaluation, in the API's own plain words, with the numbers folded away.

import { el, table } from "../dom.js";
import { words } from "../format.js";
import { pairs } from "./facts.js";
import { amount, count, fixed, interval, probability, unit } from "./numbers.js";
import { scatter } from "./scatter.js";

const numbers = (entries, ...more) => el("details", {}, el("summary", {}, "Numbers"), pairs(entries), more);

function block(title, test, ...content) {
  return el("section", { class: "test-block" }, el("h3", {}, title), el("p", {}, test.plain), content);
}

/** Blocks for whatever tests the result has. */
export function tests(result) {
  const { t_test: t, bland_altman: agreement, anova = [], comparison } = result;
  return [
    comparison && versus(comparison, result.against),
    t && block("Is the area right on average? (paired t-test)", t, numbers([
      ["Mean difference", `${amount(t.mean_difference)} ${unit(t.unit)}`],
      ["95 % interval", interval(t.ci95, amount)],
      ["t", amount(t.t)],
      ["p", probability(t.p)],
      ["Patients", String(t.n)],
    ])),
    agreement && block("How far can a single patient be off? (Bland and Altman)", agreement, agreementPlot(agreement, result.per_patient ?? []), numbers([
      ["Bias", `${amount(agreement.bias)} ${unit(agreement.unit)}`],
      ["its 95 % interval", interval(agreement.bias_ci95, amount)],
      ["Lower limit", amount(agreement.lower)],
      ["its 95 % interval ", interval(agreement.lower_ci95, amount)],
      ["Upper limit", amount(agreement.upper)],
      ["its 95 % interval  ", interval(agreement.upper_ci95, amount)],
    ])),
    anova.map((test) => block(`Is it the same in every group? By ${words(test.by).toLowerCase()} (analysis of variance)`, test, numbers(
      [["F", amount(test.f)], ["p", probability(test.p)], ["Patients", String(test.n)], ["In no group", test.ungrouped > 0 && String(test.ungrouped)],
        ["Left out", test.left_out?.length > 0 && test.left_out.map((group) => `${group.name} (${count(group.n, "patient")})`).join(", ")]],
      table(`Dice by ${test.by}`, ["Group", "Patients", "Mean Dice"], test.groups.map((group) => [group.name, String(group.n), fixed(group.mean)]))))),
  ];
}

function versus(test, against) {
  return block(`Is it better than ${against?.id ?? "the other model"}?`, test, numbers([
    ["Mean difference of Dice", fixed(test.mean)],
    ["95 % interval", interval(test.ci95)],
    ["Median difference", fixed(test.median)],
    ["Better, worse, the same", `${test.wins}, ${test.losses}, ${test.ties}`],
    ["p, paired t-test", probability(test.t_p)],
    ["p, Wilcoxon", probability(test.wilcoxon_p)],
  ]));
}

function agreementPlot(agreement, patients) {
  const measured = patients.filter((each) => !each.seen && Number.isFinite(each.predicted_area) && Number.isFinite(each.true_area));
  if (measured.length < 2 || !Number.isFinite(agreement.lower)) return null;
  const of = unit(agreement.unit);
  return scatter({
    label: "Difference of predicted and true area against their mean, for each patient", x: `mean of predicted and true area, ${of}`, y: `difference, ${of}`,
    points: measured.map((each) => ({
      x: (each.predicted_area + each.true_area) / 2, y: each.predicted_area - each.true_area,
      title: `${each.patient}: ${amount(each.predicted_area)} against ${amount(each.true_area)} ${of}`,
    })),
    lines: [{ y: agreement.bias, name: "bias" }, { y: agreement.lower, name: "lower limit", dashed: true }, { y: agreement.upper, name: "upper limit", dashed: true }],
  });
}
