/** The HTTP API. */
import { TEXTS } from "./texts.js";

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(TEXTS.offline);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.message || (answer.status === 413 ? TEXTS.tooLarge : answer.statusText));
  return body;
}

const sent = (method, body) => ({ method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const raw = (file) => ({ method: "POST", headers: { "content-type": "application/octet-stream" }, body: file });

export const verbs = () => call("/api/verbs");
export const form = (verb) => call(`/api/options/${verb}`);
export const jobs = () => call("/api/jobs");
export const start = (verb, options) => call("/api/jobs", sent("POST", { verb, options }));
export const caption = (sound) => call("/api/captions", sent("POST", { sound }));
export const words = (text) => call("/api/words", sent("POST", { text }));
export const cancel = (id) => call(`/api/jobs/${id}`, { method: "DELETE" });
export const upload = (file) => call("/api/inputs", raw(file));
export const recipe = (file) => call("/api/recipe", raw(file));
export const result = (id) => call(`/api/results/${id}`);
export const rate = (id, stars) => call(`/api/results/${id}/stars`, sent("PUT", { stars }));
export const results = (query) => call(`/api/results?${new URLSearchParams(query)}`);
export const file = (id, name) => `/api/results/${id}/${name}`;

/** Follows a job; the browser connects again by itself. Returns a function that stops. */
export function follow(id, listen) {
  const source = new EventSource(`/api/jobs/${id}/events`);
  source.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (["finished", "failed", "cancelled"].includes(message.type)) source.close();
    listen(message);
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) listen({ type: "failed", message: TEXTS.offline });
  };
  return () => source.close();
}
