// Pictures on their way up: made smaller here, so that a train's network can carry them, and sent with progress. No DOM in here.

import { CallError } from "./http.js";

// What the server keeps is no larger, so nothing is lost by making it so here.
const EDGE_MAX = 2048;
const SMALL_BYTES = 400_000;
const QUALITY = 0.9;

/** A file → the same picture, smaller where that saves something; the file itself where this browser cannot tell. */
export async function smaller(file) {
  if (file.size <= SMALL_BYTES || file.type === "image/gif" || !globalThis.OffscreenCanvas) return file;
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, EDGE_MAX / Math.max(image.width, image.height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale)));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    // Only a photograph has nothing to be seen through.
    const type = file.type === "image/jpeg" ? "image/jpeg" : "image/webp";
    const made = await canvas.convertToBlob({ type, quality: QUALITY });
    return made.size < file.size ? made : file;
  } catch {
    return file;
  }
}

/**
 * Put a picture up. `told(share)` hears how much of it has left, 0 to 1. Returns {done, stop}: a promise of what was made of
 * it ({id, width, height, type, expires_at}), rejected with CallError, and a function that gives it up.
 */
export function putUp(blob, told) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", "/media");
    request.setRequestHeader("content-type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => told(total ? loaded / total : 0);
    request.onload = () => {
      const answer = request.response ?? {};
      if (answer.ok) resolve(answer.ok);
      else reject(new CallError(answer.error ?? { code: "unavailable" }));
    };
    request.onerror = request.onabort = request.ontimeout = () => reject(new CallError({ code: "offline" }));
    request.send(blob);
  });
  return { done, stop: () => request.abort() };
}
