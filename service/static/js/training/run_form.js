// The fields of a training run, grouped, as the catalog lists them; what depends on another field follows it.

import { announce, el } from "../dom.js";
import { control } from "./run_controls.js";
import { APART, at, consequences, difference, FROM_DATASET, optionsOf, same } from "./run_values.js";
import { label, said } from "./specification.js";

const GROUPS = [
  ["data", "Data", "What is learned from, and how it is split."],
  ["network", "Network", "What learns."],
  ["learning", "Learning", "How it learns."],
  ["augmentation", "Augmentation", "Random changes to image and mask; 0 switches one off."],
  ["advanced", "Advanced", "Seldom changed, and what the model's card will say."],
];
const FOLDED = ["augmentation", "advanced"];

/**
 * The groups: {node, field(name), listen(root), begin(base, values), set(name, value), values(), changed(), find(place), …}.
 *
 * The field of the name stands apart from the groups: it is put, with `field("name")`, where the page begins. `root` is what
 * holds all of it. `onChange()` is called after each change.
 */
export function runForm(catalog, onChange) {
  const asked = catalog.fields.filter((each) => !FROM_DATASET.includes(each.name) && !APART.includes(each.name));
  const controls = new Map(asked.map((each) => [each.name, control(each, catalog[each.table] ?? [])]));
  const node = el("div", {}, GROUPS.map(([group, title, about]) => groupBox(group, title, about,
    inOrder(asked.filter((each) => each.group === group && each.name !== "name")).map((each) => controls.get(each.name).node))));
  let base = {}, values = {}, dataset = null;

  const write = (name, value) => {
    values[name] = value;
    controls.get(name).write(value);
  };
  /** Which choices there are depends on other fields. */
  const offer = () => {
    const { encoders } = catalog.architectures.find((each) => each.name === values.architecture) ?? { encoders: [] };
    controls.get("encoder").offer(encoders.length ? encoders : [null], "its own");
    for (const name of ["encoder", "encoder_weights"]) controls.get(name).node.hidden = encoders.length === 0;
    const several = values.classes > 1;
    controls.get("loss").offer(catalog.losses.filter((each) => each.several_classes === several).map((each) => each.name));
    for (const each of asked.filter((one) => one.type === "options")) {
      controls.get(each.name).offer(optionsOf(each, values, catalog), values[each.options_of]);
    }
    controls.get("modalities").offer(dataset?.modalities ?? []);
    controls.get("modalities").node.hidden = !(dataset?.modalities?.length > 1);
    const offered = ["encoder", "loss", "modalities", ...asked.filter((one) => one.type === "options").map((one) => one.name)];
    for (const name of offered) controls.get(name).write(values[name]);
  };
  const mark = () => {
    const changed = Object.keys(difference(base, values, catalog));
    for (const [name, each] of controls) {
      each.mark(base[name], changed.some((place) => place === name) && !same(base[name], values[name]));
    }
    for (const details of node.querySelectorAll("details.group")) {
      const count = details.querySelectorAll(".changed").length;
      details.querySelector(".count").textContent = count ? `${count} changed` : "";
    }
  };
  const settle = () => {
    mark();
    onChange();
  };
  const take = (name, final) => {
    values[name] = controls.get(name).read();
    if (!final) return;
    const following = Object.entries(consequences(name, values, catalog)).filter(([other, value]) => !same(values[other], value));
    Object.assign(values, Object.fromEntries(following));
    if (["architecture", "classes", "loss"].includes(name)) offer();
    following.forEach(([other, value]) => write(other, value));
    const simple = following.filter(([, value]) => typeof value !== "object" || value === null);
    if (simple.length) announce(simple.map(([other, value]) => `${label(other)}: ${said(value)}`).join(", "));
  };
  const listen = (root) => {
    for (const [type, final] of [["input", false], ["change", true]]) {
      root.addEventListener(type, (event) => {
        const name = event.target.closest("[data-field]")?.dataset.field;
        if (!name) return;
        event.target.closest(".field").wrong([]); // it is another value now
        take(name, final);
        settle();
      });
    }
  };
  return {
    node,
    listen,
    field: (name) => controls.get(name).node,
    begin(newBase, newValues) {
      base = newBase;
      values = { ...newValues };
      offer();
      for (const name of controls.keys()) write(name, values[name]);
      settle();
    },
    setDataset(now) {
      dataset = now;
    },
    set(name, value) {
      write(name, value);
      take(name, true);
      settle();
    },
    values: () => values,
    changed: () => difference(base, values, catalog),
    before: (place) => at(base, place) ?? base[place],
    /** The field that an error of the API is about: itself, or the one that it is a member of. */
    find(place) {
      const [name, member] = [place.split(/[.[]/)[0], place.split(".")[1]];
      return (controls.get(place) ?? controls.get(name)?.member?.(member) ?? controls.get(name) ?? controls.get(STANDS_AT[name]))?.node;
    },
    clear: () => controls.forEach((each) => each.node.wrong([])),
  };
}

/** Options take a whole line, so they come last. */
const inOrder = (fields) => [...fields.filter((each) => each.type !== "options"), ...fields.filter((each) => each.type === "options")];
const STANDS_AT = { in_channels: "modalities" };

function groupBox(group, title, about, nodes) {
  const fields = el("div", { class: "columns" }, nodes);
  if (!FOLDED.includes(group)) {
    return el("section", { class: "card", "aria-labelledby": `group-${group}` },
      el("h2", { id: `group-${group}` }, title), el("p", { class: "hint about" }, about), fields);
  }
  return el("details", { class: "card group", id: `group-${group}` },
    el("summary", {}, title, " ", el("span", { class: "count hint" }), el("span", { class: "hint about" }, about)), fields);
}
