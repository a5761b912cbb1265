// Sorts chosen files into uploads: pictures and volumes each for themselves, all DICOM files together as one series.

/** [{name, files}]: what becomes one segmentation each. The content tells DICOM, because many such files have no ending. */
export async function uploadsOf(files) {
  const known = await Promise.all(files.map(isDicom));
  const dicom = files.filter((_, index) => known[index]);
  const uploads = files.filter((_, index) => !known[index]).map((file) => ({ name: file.name, files: [file] }));
  if (dicom.length) uploads.unshift({ name: dicom.length > 1 ? `DICOM series, ${dicom.length} files` : dicom[0].name, files: dicom });
  return uploads;
}

async function isDicom(file) {
  if (/\.(dcm|ima)$/i.test(file.name)) return true;
  const magic = new Uint8Array(await file.slice(128, 132).arrayBuffer());
  return String.fromCharCode(...magic) === "DICM";
}

/** Files of a drop; folders are walked through, so that a series can be dropped as its folder. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry) {
  if (isStray(entry.name)) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return (await Promise.all(found.map(walk))).flat();
    found.push(...batch);
  }
}

/** What systems leave in folders beside the images, and what is hidden. */
const isStray = (name) => /^(\.|__MACOSX$|Thumbs\.db$|desktop\.ini$)/i.test(name);

/** Asks for a folder, as a drop cannot be done by the keyboard; resolves to its files. */
export function chosenFolder() {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", webkitdirectory: true });
  return new Promise((resolve) => {
    input.addEventListener("change", () => resolve([...input.files].filter((file) => !(file.webkitRelativePath || file.name).split("/").slice(1).some(isStray))));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

/** Image files of a paste. */
export const pastedFiles = (transfer) => [...(transfer?.files ?? [])];
