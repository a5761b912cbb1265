// Fetches pictures with the reason where there is none, which <img> alone does not tell.

import { describedPicture } from "../api.js";

/** The picture at this address as {source, headers}: a data: URL, which the pages' policy allows in <img>. Throws Problem. */
export async function pictureSource(address) {
  const { blob, headers } = await describedPicture(address);
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ source: reader.result, headers });
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
