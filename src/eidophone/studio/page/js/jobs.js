/** Running jobs: progress, previews, cancel; found again after a reload. */
import * as api from "./api.js";
import { find, make, toast } from "./dom.js";
import { iteration } from "./painting.js";
import { TEXTS } from "./texts.js";

/** One transparent pixel: a picture without an address would show its broken icon. */
const EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
const ENDED = ["finished", "failed", "cancelled"];
const MOST_SLOTS = 12;
const followed = new Set();
/** Jobs in the order in which they run. Only the first is followed: a browser opens six connections to a host. */
const line = [];

/** Follows all jobs that have not ended. */
export async function resume(finished, openResult) {
  const jobs = await api.jobs();
  for (const job of jobs) if (job.verb !== "caption" && !ENDED.includes(job.state)) watch(job, finished, openResult);
}

/** Shows a job until it ends; calls `finished` with every finished sample. */
export function watch(job, finished, openResult) {
  if (followed.has(job.id)) return;
  followed.add(job.id);
  const row = rowOf(job);
  find("#jobs").prepend(row.element);
  row.element.scrollIntoView({ block: "nearest" }); // on a phone it begins below the form
  while (find("#jobs").children.length > 12) find("#jobs").lastElementChild.remove();
  line.push({ job, row, finished, openResult });
  row.cancel.addEventListener("click", async () => {
    row.cancel.disabled = true;
    try {
      const { state } = await api.cancel(job.id);
      const place = line.findIndex((each) => each.job === job);
      if (state === "cancelled" && place > 0) {
        line.splice(place, 1);
        row.end({ type: "cancelled" });
        count();
      }
    } catch (error) {
      toast(error.message);
    }
  });
  count();
  if (line.length === 1) followFirst();
}

/** Says of each waiting job how many are before it. */
function count() {
  line.forEach(({ row }, place) => { if (place > 0) row.waits(place); });
}

function followFirst() {
  if (!line.length) return;
  const { job, row, finished, openResult } = line[0];
  row.begins();
  const slots = slotsOf(job, openResult);
  let done = 0;
  const listeners = {
    step: (message) => row.step(message, done),
    preview: (message) => slots.preview(message),
    iteration: (message) => slots.iteration(message),
    warning: (message) => toast(message.message),
    sample: (message) => {
      done += 1;
      slots.sample(message);
      finished(message.result);
    },
  };
  api.follow(job.id, (message) => {
    listeners[message.type]?.(message);
    if (!ENDED.includes(message.type)) return;
    row.end(message);
    slots.end();
    line.shift();
    count();
    followFirst();
  });
}

const promptsOf = (job) => [job.options.image_prompt, job.options.audio_prompt].filter(Boolean).join(" · ");

function rowOf(job) {
  const name = `${TEXTS.verbs[job.verb] ?? job.verb} ${promptsOf(job)}`;
  const bar = make("progress", { max: 1, value: 0, "aria-label": name });
  const words = make("span", { className: "words", textContent: TEXTS.loadingJob });
  const cancel = make("button", { type: "button", textContent: TEXTS.cancel, "aria-label": `${TEXTS.cancel} ${name}` });
  return {
    cancel,
    element: make("div", { className: "job" }, make("span", { className: "name", textContent: name }), cancel, bar, words),
    waits(place) { words.textContent = TEXTS.inQueue(place); },
    begins() { words.textContent = TEXTS.loadingJob; },
    step({ stage, done: steps, total, eta_s: left }, done) {
      bar.value = steps / total;
      const sample = job.count > 1 ? `${Math.min(done + 1, job.count)}/${job.count}: ` : "";
      words.textContent = `${sample}${stage} ${steps}/${total}${left === null ? "" : `, ${TEXTS.left(left)}`}`;
    },
    end({ type, samples, seconds, message }) {
      cancel.disabled = true;
      cancel.style.visibility = "hidden"; // the row keeps its height
      if (type === "finished") bar.value = 1;
      words.classList.toggle("bad", type === "failed");
      words.textContent = { finished: () => TEXTS.finished(samples, seconds), failed: () => message, cancelled: () => TEXTS.cancelled }[type]();
    },
  };
}

/** Places for the candidates of a job, made before the first one comes, so that nothing moves. */
function slotsOf(job, openResult) {
  const slots = Array.from({ length: Math.min(job.count, MOST_SLOTS) }, () => {
    const image = make("img", { alt: "", src: EMPTY });
    const tried = make("div", { className: "iterations" });
    const name = make("figcaption", { textContent: TEXTS.notYet });
    const figure = make("figure", {}, image, name, tried);
    return { figure, image, name, tried, index: null, result: null };
  });
  find("#candidates").replaceChildren(...slots.map((slot) => slot.figure));
  const slotOf = (index) => {
    const slot = slots.find((each) => each.index === index) ?? slots.find((each) => each.index === null)
      ?? slots.find((each) => !each.result);
    if (slot) slot.index = index;
    return slot;
  };
  const fill = (slot, index, picture) => {
    slot.image.src = picture;
    slot.image.alt = `${TEXTS.sample(index)}: ${promptsOf(job)}`;
    slot.name.textContent = TEXTS.sample(index);
  };
  return {
    preview({ index, picture }) {
      const slot = slotOf(index);
      if (slot) fill(slot, index, picture);
    },
    iteration({ index, number, picture, ...numbers }) {
      const slot = slotOf(index);
      if (!slot || slot.tried.children.length > number) return;
      fill(slot, index, picture);
      slot.tried.append(iteration(make("img", { src: picture, alt: TEXTS.iteration(number + 1) }), number, numbers, false));
    },
    sample({ index, result }) {
      const slot = slotOf(index);
      if (!slot) return;
      fill(slot, index, api.file(result.id, "picture.png"));
      slot.result = result;
      const button = make("button", { type: "button", className: "open", "aria-label": TEXTS.openResult(slot.image.alt), onclick: () => openResult(result) });
      slot.image.replaceWith(button);
      button.append(slot.image);
    },
    end() {
      for (const slot of slots) if (!slot.result) slot.figure.remove();
    },
  };
}
