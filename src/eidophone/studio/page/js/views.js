/** Further views of a result: what each of its other prompts shows or plays. */
import * as api from "./api.js";
import { make } from "./dom.js";
import { TEXTS } from "./texts.js";

/** A figure for each further view, with the prompt as it was typed; null if there is none. */
export function viewsOf(entry) {
  const pictures = entry.further.filter((name) => name.startsWith("view-")).sort(byNumber);
  const sounds = entry.further.filter((name) => name.startsWith("sound-")).sort(byNumber);
  if (!pictures.length && !sounds.length) return null;
  const prompts = entry.captions.slice(-(pictures.length + sounds.length));
  const shown = pictures.map((name, at) => figure(prompts[at], image(entry, name, prompts[at])));
  const heard = sounds.map((name, at) => {
    const prompt = prompts[pictures.length + at];
    const player = make("audio", { controls: true, preload: "none", src: api.file(entry.id, name), "aria-label": prompt });
    return figure(prompt, image(entry, name.replace("sound-", "spectrogram-").replace(".wav", ".png"), prompt), player);
  });
  const film = entry.further.includes("morph.mp4")
    ? make("a", { href: api.file(entry.id, "morph.mp4"), download: `${entry.run}-morph.mp4`, textContent: TEXTS.morph }) : null;
  return make("section", {}, make("h3", { textContent: TEXTS.furtherViews }), make("div", { className: "iterations" }, ...shown, ...heard), film);
}

const byNumber = (a, b) => Number(a.match(/\d+/)[0]) - Number(b.match(/\d+/)[0]);
const image = (entry, name, prompt) => make("img", { src: api.file(entry.id, name), alt: prompt, loading: "lazy" });
const figure = (prompt, ...inside) => make("figure", {}, ...inside, make("figcaption", { textContent: prompt }));
