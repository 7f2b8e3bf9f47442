/** Running jobs: progress, previews, cancel; found again after a reload. */
import * as api from "./api.js";
import { find, make, toast } from "./dom.js";
import { TEXTS } from "./texts.js";

const ENDED = ["finished", "failed", "cancelled"];
const followed = new Set();

/** Follows all jobs that have not ended. */
export async function resume(finished) {
  for (const job of await api.jobs()) if (!ENDED.includes(job.state)) watch(job, finished);
}

/** Shows a job until it ends; calls `finished` with every finished sample. */
export function watch(job, finished) {
  if (followed.has(job.id)) return;
  followed.add(job.id);
  const prompts = [job.options.image_prompt, job.options.audio_prompt].filter(Boolean).join(" · ");
  const name = `${TEXTS.verbs[job.verb] ?? job.verb} ${prompts}`;
  const bar = make("progress", { max: 1, value: 0, "aria-label": name });
  const words = make("span", { className: "words", textContent: TEXTS.loadingJob });
  const cancel = make("button", {
    type: "button", textContent: TEXTS.cancel,
    onclick: () => { cancel.disabled = true; api.cancel(job.id).catch((error) => toast(error.message)); },
  });
  const row = make("div", { className: "job" }, make("span", { className: "name", textContent: name }), cancel, bar, words);
  find("#jobs").prepend(row);
  const previews = new Map();
  let done = 0;

  function preview(index, picture) {
    if (!previews.has(index)) {
      const image = make("img", { alt: `${TEXTS.sample(index)}: ${prompts}` });
      previews.set(index, make("figure", { className: "preview" }, image, make("figcaption", { textContent: TEXTS.sample(index) })));
      find("#candidates").append(previews.get(index));
    }
    previews.get(index).querySelector("img").src = picture;
  }

  api.follow(job.id, (message) => {
    if (message.type === "step") {
      bar.value = message.done / message.total;
      const eta = message.eta_s === null ? "" : `, ${TEXTS.left(message.eta_s)}`;
      words.textContent = `${done + 1 > job.count ? "" : `${Math.min(done + 1, job.count)}/${job.count}: `}${message.stage} ${message.done}/${message.total}${eta}`;
    } else if (message.type === "preview") preview(message.index, message.picture);
    else if (message.type === "warning") toast(message.message);
    else if (message.type === "sample") {
      done += 1;
      previews.get(message.index)?.remove();
      finished(message.result);
    } else if (ENDED.includes(message.type)) {
      for (const figure of previews.values()) figure.remove();
      cancel.remove();
      bar.remove();
      words.classList.toggle("bad", message.type === "failed");
      words.textContent = message.type === "finished" ? TEXTS.finished(message.samples, message.seconds)
        : message.type === "failed" ? message.message : TEXTS.cancelled;
      while (find("#jobs").children.length > 6) find("#jobs").lastElementChild.remove();
    }
  });
}
