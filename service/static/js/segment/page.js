// The page that segments: drop, pick, paste, camera, examples; then results beside each other, and the recent ones.

import { Problem, picture, stayHere } from "../api.js";
import { announce, el, need, problemBox, show } from "../dom.js";
import { chosenFolder, droppedFiles, pastedFiles, uploadsOf } from "./files.js";
import { leftOutWords } from "./left_out.js";
import { Options } from "./options.js";
import { Queue } from "./queue.js";
import { recent } from "./recent.js";
import { fieldAt, fill, taken } from "./sequences.js";

stayHere(); // whoever has to sign in again must not lose what is being sent

const form = need("#upload"), zone = need("#drop"), input = need("#image"), trouble = need("#trouble");
const queue = new Queue(need("#uploads"), need("#shown"), new Options(form), { onEnded: refresh });
let refreshing = 0;

function listRecent() {
  return recent(need("#recent"), { heading: need("#recent-title"), onDeleted: (job) => { queue.forget(job.id); refresh(); } });
}

/** Shows the recent results anew; of many that end together, once. */
function refresh() {
  clearTimeout(refreshing);
  refreshing = setTimeout(listRecent, 250);
}

function add(uploads, missing = "Choose, drop or paste an image, or try an example.") {
  trouble.replaceChildren();
  if (!uploads.length) {
    show(trouble, problemBox({ title: "No file", detail: missing }));
    return;
  }
  announce(uploads.length > 1 ? `${uploads.length} images are sent` : `${uploads[0].name} is sent`);
  queue.add(uploads);
}

const NONE_TAKEN = "None of these files is an image that is taken: an MRI slice as PNG, JPEG or TIFF, or a volume as DICOM, NIfTI, TIFF or a zip of a series.";

async function addFiles(files) {
  const { uploads, leftOut, hidden } = await uploadsOf(files);
  add(uploads, files.length ? NONE_TAKEN : undefined);
  tellLeftOut(leftOut, hidden);
}

/** Says which files were not sent. */
function tellLeftOut(names, hidden) {
  const words = leftOutWords(names, hidden);
  if (words) trouble.append(el("p", { class: "notice", role: "status" }, words));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const several = taken(form);
  // Enter in an option sends nothing where there is nothing to send: images are sent as they are chosen
  if (several.length || event.submitter?.id === "send-sequences") add(several, "Choose a volume for each sequence that the model takes.");
});
input.addEventListener("change", async () => {
  const files = [...input.files];
  if (!files.length) return;
  input.value = ""; // so that the same file can be chosen again
  await addFiles(files);
});
need("#folder").addEventListener("click", async () => {
  const files = await chosenFolder();
  if (files) await addFiles(files);
});

let over = 0; // the pointer enters a child before it leaves the parent
const dragged = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragenter", (event) => dragged(event) && zone.classList.toggle("over", (over += 1) > 0));
document.addEventListener("dragleave", (event) => dragged(event) && zone.classList.toggle("over", (over -= 1) > 0));
document.addEventListener("dragover", (event) => dragged(event) && event.preventDefault());
document.addEventListener("drop", async (event) => {
  if (!dragged(event)) return;
  event.preventDefault();
  over = 0;
  zone.classList.remove("over");
  const field = fieldAt(event.target);
  if (field) {
    trouble.replaceChildren();
    const { leftOut, hidden } = await fill(field, event.dataTransfer);
    tellLeftOut(leftOut, hidden);
  }
  else await addFiles(await droppedFiles(event.dataTransfer));
});
document.addEventListener("paste", async (event) => {
  const files = pastedFiles(event.clipboardData);
  if (!files.length) return;
  event.preventDefault();
  await addFiles(files);
});

const camera = need("#camera");
camera.hidden = false;
camera.addEventListener("click", async () => {
  try {
    const { takePicture } = await import("./camera.js"); // few want it
    const file = await takePicture();
    if (file) add([{ name: "Camera (demonstration)", files: [file] }]);
  } catch (error) {
    show(trouble, problemBox({ title: "No camera", detail: String(error) }));
  }
});

for (const example of document.querySelectorAll("[data-example]")) {
  example.addEventListener("click", async (event) => {
    event.preventDefault();
    trouble.replaceChildren();
    try {
      const blob = await picture(example.href);
      add([{ name: example.dataset.example, files: [new File([blob], example.dataset.example)] }]);
    } catch (error) {
      show(trouble, problemBox(error instanceof Problem ? error : { title: "This did not work", detail: String(error) }));
    }
  });
}

listRecent();
