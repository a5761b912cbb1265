// The form that adds a dataset: a zip archive that is uploaded, or a folder that the operator mounted.

import { api, idempotencyKey, Problem, upload, v1 } from "../api.js";
import { announce, button, el, need, problemBox, show } from "../dom.js";
import { choose, clearWrong, field, markWrong } from "../fields.js";
import { bytes, percent } from "../format.js";

const AUTO = "auto";
const WITH_OPTIONS = [AUTO, "image_mask"]; // the formats that take the options; the API refuses them with others

/** The form as a <form>; `formats` are the catalog's, `onAdded(dataset)` is called when the API has taken one. */
export function datasetForm(formats, onAdded) {
  const fields = makeFields(formats);
  const trouble = el("div", {});
  const progress = progressBox();
  const submit = el("button", { type: "submit" }, "Add dataset");
  const form = el("form", { id: "dataset-form", novalidate: true, "aria-label": "Add a dataset" },
    el("fieldset", { class: "segments" }, el("legend", {}, "Where it is"),
      source("upload", "Upload a zip archive", true), source("folder", "A folder that the operator mounted", false)),
    el("div", { class: "columns" }, fields.file, fields.folder, fields.name, fields.format),
    fields.options, trouble, progress.node,
    el("div", { class: "actions" }, submit, progress.cancel));
  const isUpload = () => need("[name=source]:checked", form).value === "upload";

  const adapt = () => {
    fields.file.hidden = !isUpload();
    fields.folder.hidden = isUpload();
    fields.options.hidden = !WITH_OPTIONS.includes(fields.format.control.value);
    fields.explain();
  };
  let key = idempotencyKey();
  form.addEventListener("input", (event) => {
    event.target.closest(".field")?.wrong([]); // it is another value now
    key = idempotencyKey(); // other content is another request; the same sent again makes nothing twice
    adapt();
  });
  fields.file.control.addEventListener("change", () => suggestName(fields));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = read(fields, isUpload());
    show(trouble);
    clearWrong(Object.values(fields.byName));
    const missing = lacking(values, isUpload());
    if (Object.keys(missing).length) {
      markWrong(missing, (name) => fields.byName[name]);
      return;
    }
    submit.disabled = true;
    try {
      const dataset = await send(values, isUpload(), key, progress);
      form.reset();
      key = idempotencyKey();
      adapt();
      onAdded(dataset);
    } catch (error) {
      if (error instanceof Problem) showTrouble(error, fields, trouble);
      else announce("Upload stopped. Nothing was kept.");
    } finally {
      submit.disabled = false;
      progress.stop();
    }
  });
  adapt();
  return form;
}

function source(value, text, checked) {
  return el("label", { class: "check" }, el("input", { type: "radio", name: "source", value, checked }), text);
}

function makeFields(formats) {
  const name = field(el("input", { id: "dataset-name", name: "name", maxlength: 100, autocomplete: "off" }), "Name",
    "For people, and to name it in a training run.");
  const file = field(el("input", { id: "dataset-file", name: "file", type: "file", accept: ".zip,application/zip" }), "Zip archive",
    "Choose it, or drop it here. It is looked through before it is accepted.");
  const folder = field(el("input", { id: "dataset-folder", name: "folder", autocomplete: "off", spellcheck: "false" }), "Folder",
    "Its name among those that the operator put into DATASETS_DIR. Nothing is written there.");
  const sentence = el("span", {});
  const auto = formats.filter((each) => each.name === AUTO), others = formats.filter((each) => each.name !== AUTO);
  const format = field(choose("dataset-format", [...auto, ...others].map((each) => [each.name, each.name]), AUTO), "Format", sentence);
  const pattern = field(el("input", { id: "dataset-pattern", name: "patient_pattern", autocomplete: "off", spellcheck: "false", placeholder: "(TCGA_\\w+_\\d+)_\\d+" }),
    "Patient pattern", "A regular expression that is searched in each image's path; its group is the patient. Left empty: folders, or a CSV, tell patients apart.");
  const suffix = field(el("input", { id: "dataset-suffix", name: "mask_suffix", autocomplete: "off", spellcheck: "false", placeholder: "_mask" }),
    "Mask suffix", "How masks' names end, where it is none of the usual endings.");
  const options = el("details", {}, el("summary", {}, "Options: how patients and masks are told"), el("div", { class: "columns" }, pattern, suffix));
  const explain = () => {
    sentence.textContent = formats.find((each) => each.name === format.control.value)?.description ?? "";
  };
  return { name, file, folder, format, options, explain, byName: { name, file, folder, format, patient_pattern: pattern, mask_suffix: suffix } };
}

function suggestName({ name, file }) {
  const chosen = file.control.files[0];
  if (chosen && !name.control.value.trim()) name.control.value = chosen.name.replace(/\.zip$/i, "").slice(0, 100);
}

function read({ byName }, isUpload) {
  const values = { name: byName.name.control.value.trim(), format: byName.format.control.value };
  if (isUpload) values.file = byName.file.control.files[0];
  else values.folder = byName.folder.control.value.trim();
  for (const option of ["patient_pattern", "mask_suffix"]) {
    const given = byName[option].control.value;
    if (given && WITH_OPTIONS.includes(values.format)) values[option] = given;
  }
  return values;
}

function lacking(values, isUpload) {
  const missing = {};
  if (isUpload && !values.file) missing.file = ["Choose a zip archive."];
  if (!isUpload && !values.folder) missing.folder = ["Give the name of a folder."];
  if (!values.name) missing.name = ["Give it a name."];
  return missing;
}

function send(values, isUpload, key, progress) {
  const headers = { "Idempotency-Key": key };
  if (!isUpload) return api(v1("datasets"), { method: "POST", json: values, headers });
  const form = new FormData();
  // the file comes last, so that what is wrong with the rest does not wait for it
  for (const [name, value] of Object.entries(values)) if (name !== "file") form.append(name, value);
  form.append("file", values.file);
  return upload(v1("datasets"), form, { headers, signal: progress.start(values.file.size), onProgress: progress.tell });
}

function progressBox() {
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const words = el("p", { class: "hint" });
  const node = el("div", { hidden: true, id: "upload-progress" }, bar, words);
  let control = null, size = 0;
  const cancel = button("Stop the upload", () => control.abort(), { hidden: true });
  return {
    node,
    cancel,
    start(total) {
      control = new AbortController();
      size = total;
      node.hidden = cancel.hidden = false;
      this.tell(0);
      return control.signal;
    },
    tell(part) {
      bar.value = part;
      words.textContent = part < 1 ? `${percent(part, 0)} of ${bytes(size)} sent` : "Sent. The archive is being looked through…";
    },
    stop() {
      node.hidden = cancel.hidden = true;
    },
  };
}

function showTrouble(problem, fields, trouble) {
  const rest = markWrong(problem.errors, (name) => fields.byName[name]);
  const count = Object.keys(problem.errors).length;
  const detail = count ? "Nothing was added. Each field says what it needs." : problem.detail;
  const box = problemBox({ ...problem, detail, errors: Object.fromEntries(rest) });
  show(trouble, box);
  if (count === rest.length) {
    box.tabIndex = -1;
    box.focus();
  }
}
