// Sorts chosen files into uploads: pictures and volumes each for themselves, all DICOM files together as one series.

const HEAD = 1024; // up to the end of a NIfTI header, and of what a DICOMDIR says of itself
// What the service takes, as shared/files/sniff.py has it: [offset, beginning].
const TAKEN = [
  [0, "\x89PNG\r\n\x1a\n"], [0, "\xff\xd8\xff"], [0, "II*\0"], [0, "MM\0*"], [0, "II+\0"], [0, "MM\0+"],
  [344, "n+1\0"], [344, "ni1\0"], [4, "n+2\0"], [4, "ni2\0"],
];
// the first entries of documents and programs that are zips as well
const NO_ARCHIVE_OF_IMAGES = /^(\[Content_Types\]\.xml|_rels\/|META-INF\/|mimetype)/;
// value representations that a DICOM file without preamble may begin with
const VALUES = /^(UL|OB|UI|CS|SH|LO|DA|TM|DT|IS|US|AE)$/;
const DICOMDIR = /1\.2\.840\.10008\.1\.3\.10(?![.\d])/;

/**
 * {uploads: [{name, files}], leftOut: [name], hidden: count}: what becomes one segmentation each, and what is no image.
 *
 * One file alone is always sent, as the service says best why it takes none like it.
 */
export async function uploadsOf(files) {
  const { dicom, others, leftOut, hidden } = await sorted(files);
  if (files.length === 1) return { uploads: [{ name: files[0].name, files }], leftOut: [], hidden: 0 };
  const uploads = others.map((file) => ({ name: file.name, files: [file] }));
  if (dicom.length) uploads.unshift({ name: dicom.length > 1 ? `DICOM series, ${dicom.length} files` : dicom[0].name, files: dicom });
  return { uploads, leftOut, hidden };
}

/** The files by what they hold, not by their names: {dicom, others, leftOut: names, hidden: how many systems left there}. */
export async function sorted(files) {
  const found = { dicom: [], others: [], leftOut: [], hidden: 0 };
  const kinds = await Promise.all(files.map(kindOf));
  files.forEach((file, index) => {
    if (isStray(file.name)) found.hidden += 1;
    else if (kinds[index] === "dicom") found.dicom.push(file);
    else if (kinds[index] === "other") found.others.push(file);
    else found.leftOut.push(file.name);
  });
  return found;
}

/** "dicom"; "other" for pictures, volumes and archives that the service takes; or null. */
async function kindOf(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  if (text.startsWith("DICM", 128) || withoutPreamble(bytes, text)) return DICOMDIR.test(text) ? null : "dicom";
  if (text.startsWith("\x1f\x8b")) return isNifti(await beginning(file)) ? "other" : null;
  if (text.startsWith("PK\x03\x04")) return NO_ARCHIVE_OF_IMAGES.test(text.slice(30)) ? null : "other";
  return TAKEN.some(([at, magic]) => text.startsWith(magic, at)) ? "other" : null;
}

const isNifti = (text) => TAKEN.slice(-4).some(([at, magic]) => text.startsWith(magic, at));

/** Begins with an element of group 0002 or 0008, explicit or implicit, in either order of bytes. */
function withoutPreamble(bytes, text) {
  if (bytes.length < 8) return false;
  const view = new DataView(bytes.buffer), little = bytes[0] !== 0;
  if (![2, 8].includes(view.getUint16(0, little))) return false;
  const length = view.getUint32(4, little);
  return VALUES.test(text.slice(4, 6)) || (view.getUint16(2, little) <= 0x70 && length % 2 === 0 && length <= 256);
}

/** The first bytes inside a gzip, as text of a letter a byte; none where it holds nothing that can be read. */
async function beginning(file) {
  const inside = file.slice(0, 16 * HEAD).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  let text = "";
  try {
    while (text.length < HEAD) {
      const { done, value } = await inside.read();
      if (done) break;
      text += String.fromCharCode(...value.subarray(0, HEAD));
    }
  } catch {
    // cut off in the middle, as only the beginning was given
  }
  inside.cancel().catch(() => {});
  return text;
}

/** Files of a drop; folders are walked through, so that a series can be dropped as its folder. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  if (isStray(entry.name)) return [];
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
    input.addEventListener("change", () => resolve([...input.files].filter((file) => !file.webkitRelativePath.split("/").slice(1, -1).some(isStray))));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

/** Image files of a paste. */
export const pastedFiles = (transfer) => [...(transfer?.files ?? [])];
