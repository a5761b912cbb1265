// Sorts chosen files into uploads: pictures and volumes each for themselves, all DICOM files together as one series.

/**
 * {uploads: [{name, files}], leftOut: [name]}: what becomes one segmentation each, and what is no image at all.
 *
 * The content tells, because many DICOM files have no ending and a CD has a viewer beside them. Where nothing looks like
 * an image everything is sent, and the service says what it is.
 */
export async function uploadsOf(files) {
  const kinds = await Promise.all(files.map(kindOf));
  const of = (...wanted) => files.filter((_, index) => wanted.includes(kinds[index]));
  const dicom = of("dicom"), others = of("image"), none = of(null);
  const usable = dicom.length + others.length > 0;
  const uploads = (usable ? others : files).map((file) => ({ name: file.name, files: [file] }));
  if (dicom.length) uploads.unshift({ name: dicom.length > 1 ? `DICOM series, ${dicom.length} files` : dicom[0].name, files: dicom });
  return { uploads, leftOut: usable ? none.map((file) => file.name) : [] };
}

const HEAD = 352; // up to the end of a NIfTI header
const MAGIC = [
  [0, "\x89PNG"], [0, "\xff\xd8\xff"], [0, "II*\0"], [0, "MM\0*"], [0, "II+\0"], [0, "MM\0+"], [0, "GIF8"], [0, "BM"], [8, "WEBP"], [4, "ftyp"],
  [0, "PK\x03\x04"], [0, "\x1f\x8b"], [344, "n+1"], [344, "ni1"], [4, "n+2"], [4, "ni2"],
];
// value representations that a DICOM file without preamble may begin with
const VALUES = /^(UL|OB|UI|CS|SH|LO|DA|TM|DT|IS|US|AE)$/;

/** "dicom", "image" (pictures, volumes, archives: the service says which), or null. */
async function kindOf(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  if (text.startsWith("DICM", 128)) return "dicom";
  if (MAGIC.some(([at, magic]) => text.startsWith(magic, at))) return "image";
  return withoutPreamble(bytes, text) || /\.(dcm|ima)$/i.test(file.name) ? "dicom" : null;
}

/** Begins with an element of group 0002 or 0008, explicit or implicit, as shared/files/sniff.py has it. */
function withoutPreamble(bytes, text) {
  if (bytes.length < 8 || ![2, 8].includes(bytes[0]) || bytes[1] !== 0) return false;
  if (VALUES.test(text.slice(4, 6))) return true;
  const word = (at) => bytes[at] + bytes[at + 1] * 0x100 + (bytes[at + 2] ?? 0) * 0x10000 + (bytes[at + 3] ?? 0) * 0x1000000;
  const element = bytes[2] + bytes[3] * 0x100, count = word(4);
  return element <= 0x70 && count % 2 === 0 && count <= 256;
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
const isStray = (name) => /^(\.|__MACOSX$|(eh)?thumbs\.db$|desktop\.ini$|autorun\.inf$|\$recycle\.bin$|system volume information$)/i.test(name);

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
