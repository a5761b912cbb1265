// Speaks to the public API and to nothing else. Errors are Problems, whatever went wrong.

const ROOT = document.documentElement.dataset.root ?? "";

/** The address of a resource: v1("models") is /v1/models, under whatever prefix the service is mounted. */
export const v1 = (path) => `${ROOT}/v1/${path}`;

/** The address of a page. */
export const page = (path) => `${ROOT}/${path}`;

/** An error as the API describes it (RFC 9457); `code` is stable, `errors` is field -> messages, `status` 0 when nobody answered. */
export class Problem extends Error {
  constructor(document = {}, status = 0, retryAfter = null) {
    super(document.detail ?? "Something went wrong.");
    this.title = document.title ?? "Something went wrong";
    this.detail = document.detail ?? "";
    this.code = document.code ?? "unknown";
    this.errors = document.errors ?? {};
    this.reference = document.request_id ?? null;
    this.checks = document.checks ?? null;
    this.status = status;
    this.retryAfter = retryAfter;
    this.signIn = status === 401 ? signIn() : null;
  }
}

let stays = false;

/** From now on a session that ended does not lead away from this page, which holds what would be lost; the Problem says where to sign in. */
export function stayHere() {
  stays = true;
}

/** Where a session that ended begins anew, to come back to this page. */
const signIn = () => page(`login?next=${encodeURIComponent(location.pathname.slice(ROOT.length) + location.search)}`);

const UNREACHABLE = {
  title: "The service does not answer",
  detail: "Is the network up, and is the service running? Nothing that it accepted is lost.",
  code: "unreachable",
};
const UNREADABLE = { title: "The answer was not understood", detail: "Something between here and the service answered in its place.", code: "unreadable" };

function parsed(text, type) {
  if (!text) return null;
  if (!/[/+]json/.test(type ?? "")) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(UNREADABLE);
  }
}

function checked(status, type, text, retryAfter, stay = stays) {
  if (status === 401 && !stay) location.assign(signIn());
  const body = parsed(text, type);
  if (status >= 200 && status < 300) return body;
  throw new Problem(body !== null && typeof body === "object" ? body : UNREADABLE, status, Number(retryAfter) || null);
}

/** One request. `json` is sent as JSON, `form` as multipart; returns the parsed body, null for 204. Throws Problem. */
export async function api(address, { method = "GET", json, form, headers = {}, signal } = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, signal, body: form };
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
  }
  let answer, text;
  try {
    answer = await fetch(address, options);
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
  return checked(answer.status, answer.headers.get("Content-Type"), text, answer.headers.get("Retry-After"));
}

/** Bytes of a picture as a Blob. Throws Problem. */
export const picture = async (address, signal) => (await describedPicture(address, signal)).blob;

/** The same with the headers that say what it shows: {blob, headers}. Throws Problem. */
export async function describedPicture(address, signal) {
  let answer;
  try {
    answer = await fetch(address, { signal });
    if (answer.ok) return { blob: await answer.blob(), headers: answer.headers };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
  return checked(answer.status, answer.headers.get("Content-Type"), await answer.text(), answer.headers.get("Retry-After"));
}

/** POSTs a form and tells how much of it was sent (0 to 1), which fetch cannot. Throws Problem. */
export function upload(address, form, { onProgress = () => {}, headers = {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    for (const [name, value] of Object.entries({ Accept: "application/json", ...headers })) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      try {
        resolve(checked(request.status, request.getResponseHeader("Content-Type"), request.responseText, request.getResponseHeader("Retry-After"), true)); // the chosen file must not be lost
      } catch (problem) {
        reject(problem);
      }
    };
    request.onerror = () => reject(new Problem(UNREACHABLE));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Waits; ends early, with AbortError, when the signal says so. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

/** Asks again and again until `done(resource)`; an outage is told to `onTrouble` and waited out, other errors are thrown. */
export async function follow(address, { done, onChange = () => {}, onTrouble = () => {}, every = 700, signal }) {
  let wait = every;
  for (;;) {
    try {
      const resource = await api(address, { signal });
      wait = every;
      onTrouble(null);
      onChange(resource);
      if (done(resource)) return resource;
    } catch (error) {
      if (!(error instanceof Problem) || (error.status !== 0 && error.status < 500)) throw error;
      onTrouble(error);
      wait = Math.min(wait * 2, 10_000);
    }
    await pause(wait, signal);
  }
}

/** All entries of a list, page by page; `most` bounds them. */
export async function all(address, most = 1000) {
  const items = [];
  let cursor = null;
  do {
    const at = new URL(address, location.href);
    at.searchParams.set("limit", "100");
    if (cursor) at.searchParams.set("cursor", cursor);
    const found = await api(at);
    items.push(...found.items);
    cursor = found.next;
  } while (cursor && items.length < most);
  return items;
}

/** A fresh Idempotency-Key: the same request sent again makes nothing twice. crypto.randomUUID needs https. */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the key of this session has the scope; the API decides, this only spares a click that would be refused. */
export function may(scope) {
  const scopes = (document.documentElement.dataset.scopes ?? "").split(" ");
  return scopes.includes(scope) || scopes.includes("admin");
}
