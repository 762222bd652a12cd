// The public API, and nothing else. Answers come as text and as data: the text has every digit.
import { signal } from "../vendor/preact.js";

/** The path under which a proxy serves pgqueue; empty if at the top. This file is below it at ui/assets/HASH/lib. */
export const base = new URL("../../../..", import.meta.url).pathname.replace(/\/$/, "");

/** How far this browser's clock is behind the server's, in milliseconds. 0 if they agree within 2 s. */
export const skew = signal(0);

/** What the API refused, or that it did not answer (status 0). */
export class Problem extends Error {
  constructor(status, { title = "", detail = "", hint = "", code = "", errors = [] } = {}) {
    super(detail || title || `the API answered ${status}`);
    Object.assign(this, { status, title, hint, code, errors });
  }
}

/** Return the address of a path, such as /v1/tasks or /ui/queues. */
export const href = (path) => base + path;

/** Return {data, text, etag} of a GET; throws a Problem. */
export const read = (path, options) => request(path, { method: "GET", ...options });

let asked = null;

/** Return who is asking, as GET /v1/me says: asked once. */
export const whoAmI = () => (asked ??= read("/v1/me").then((answer) => answer.data));

/** Send JSON, or nothing, and return what `read` returns. */
export async function send(method, path, body, headers = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const typed = { "content-type": "application/json", ...headers };
  const token = signsIn(path, method) ? null : (await whoAmI()).csrf_token;
  if (token) typed["x-csrf-token"] = token;
  return request(path, { method, ...sent, headers: typed });
}

/** Return a path with its parameters; those that are empty are left out, lists are repeated. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

async function request(path, options) {
  let answer, text;
  try {
    answer = await fetch(href(path), { cache: "no-store", ...options });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "The API does not answer", detail: "The API does not answer." });
  }
  watchClock(answer.headers.get("date"));
  const data = parsed(text);
  if (answer.status === 401 && !signsIn(path, options.method) && leave()) return new Promise(() => {});
  if (!answer.ok) throw new Problem(answer.status, data ?? { title: answer.statusText });
  return { data, text, etag: answer.headers.get("etag") };
}

const signsIn = (path, method) => path === "/v1/session" && method === "POST";

let leaving = false;

/** Go to the page on which people sign in, and from there back to this one; false if this is that page. */
function leave() {
  const page = href("/ui/sign-in");
  if (location.pathname.startsWith(page)) return false;
  if (!leaving) location.assign(withQuery(page, { to: location.pathname + location.search }));
  leaving = true;
  return true;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function watchClock(date) {
  const behind = Date.parse(date) + 500 - Date.now();
  if (!Number.isNaN(behind)) skew.value = Math.abs(behind) < 2000 ? 0 : behind;
}
