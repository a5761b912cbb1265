// What a form for a training run holds, and what of it has to be sent: only what differs from the recipe. Nothing of the page.

/** Fields that follow from the dataset; the API fills them, and a form that asked for them could only be wrong. */
export const FROM_DATASET = ["dataset_format", "in_channels"];
/** Fields with a place of their own in the form. */
export const APART = ["recipe", "dataset"];
// What a recipe says of these is about its own run and its own data, so the API does not take it over.
const OF_THE_RUN = (name) => name === "name" || name === "description" || name.startsWith("card.");
// What a recipe says of these goes with the other: as in the API, service/intake/run_specification.py.
const DEPENDENT = {
  architecture: ["encoder", "encoder_weights"],
  classes: ["loss"],
  optimizer: ["weight_decay"],
};

/** Whether two values of fields are the same. */
export const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/** "limit.patients" of {limit: {patients: 3}}. */
export const at = (object, place) => place.split(".").reduce((inner, name) => inner?.[name], object);

/** The entry of the catalog that a field of options is about: of `architecture_options` the architecture. */
export function optionsOf(field, values, catalog) {
  const table = catalog.fields.find((each) => each.name === field.options_of).table;
  return catalog[table].find((each) => each.name === values[field.options_of])?.options ?? {};
}

function filled(options, given) {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, given?.[name] ?? option.default]));
}

/** All fields as a specification has them (of a recipe, of a run; null for the defaults). */
export function valuesOf(specification, catalog) {
  const values = {};
  for (const field of catalog.fields) values[field.name] = specification ? at(specification, field.name) : field.default;
  for (const field of catalog.fields) {
    if (field.type === "options") values[field.name] = filled(optionsOf(field, values, catalog), values[field.name]);
  }
  return values;
}

/** What the API would make of this recipe with this dataset, both may be null: what a form begins with, and is compared to. */
export function baseOf(recipe, dataset, catalog) {
  const values = valuesOf(recipe?.fields ?? null, catalog);
  for (const field of catalog.fields) if (OF_THE_RUN(field.name)) values[field.name] = field.default ?? "";
  const there = dataset?.modalities ?? [];
  if (!(values.modalities ?? []).every((name) => there.includes(name))) values.modalities = [];
  return values;
}

/** What is sent besides recipe and dataset: place -> value. A field whose parent has changed is always said. */
export function difference(base, values, catalog) {
  const changed = {};
  const freed = Object.entries(DEPENDENT).flatMap(([parent, children]) => (same(base[parent], values[parent]) ? [] : children));
  for (const field of catalog.fields) {
    const { name } = field;
    if (FROM_DATASET.includes(name) || APART.includes(name)) continue;
    if (field.type === "options") {
      const other = !same(base[field.options_of], values[field.options_of]);
      const begun = other ? filled(optionsOf(field, values, catalog), null) : base[name];
      for (const [option, value] of Object.entries(values[name])) if (!same(value, begun[option])) changed[`${name}.${option}`] = value;
    } else if (freed.includes(name) || !same(base[name], values[name])) {
      changed[name] = values[name];
    }
  }
  return changed;
}

/** The body of the request: places become objects again. */
export function bodyOf(recipe, dataset, changed) {
  const body = {};
  if (recipe) body.recipe = recipe;
  if (dataset) body.dataset = dataset;
  for (const [place, value] of Object.entries(changed)) {
    const [name, member] = place.split(".");
    if (member === undefined) body[name] = value;
    else body[name] = { ...body[name], [member]: value };
  }
  return body;
}

/** What else must change when one field has: name -> value. `catalog` knows what fits what. */
export function consequences(name, values, catalog) {
  if (name === "architecture") return forArchitecture(values, catalog);
  if (name === "loss") return { loss_options: optionDefaults("loss_options", values, catalog) };
  if (name === "optimizer") {
    // elsewhere it is part of the gradient, and much stronger
    const standard = catalog.fields.find((each) => each.name === "optimizer").default;
    return { weight_decay: values.optimizer === standard ? catalog.fields.find((each) => each.name === "weight_decay").default : 0 };
  }
  if (name === "classes") {
    const fits = catalog.losses.filter((each) => each.several_classes === values.classes > 1);
    if (fits.some((each) => each.name === values.loss) || !fits.length) return {};
    const next = { ...values, loss: fits[0].name };
    return { loss: next.loss, loss_options: optionDefaults("loss_options", next, catalog) };
  }
  if (name === "image_size" && values["augmentations.crop"] > values.image_size) return { "augmentations.crop": 0 };
  return {};
}

function optionDefaults(name, values, catalog) {
  return filled(optionsOf(catalog.fields.find((each) => each.name === name), values, catalog), null);
}

function forArchitecture(values, catalog) {
  const { encoders } = catalog.architectures.find((each) => each.name === values.architecture);
  const standard = catalog.fields.find((each) => each.name === "encoder").default;
  const encoder = [values.encoder, standard, encoders[0]].find((each) => encoders.includes(each)) ?? null;
  const weights = encoder === null ? null : values.encoder === null ? catalog.fields.find((each) => each.name === "encoder_weights").default : values.encoder_weights;
  return { encoder, encoder_weights: weights, architecture_options: optionDefaults("architecture_options", values, catalog) };
}
