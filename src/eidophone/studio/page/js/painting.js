/** What paint hears and does: words over time, their weights as bars, iterations, both similarities. */
import * as api from "./api.js";
import { make, toast } from "./dom.js";
import { TEXTS } from "./texts.js";

/** Words with the time in which each was heard, and its weight, before and after where both are known. */
export function wordsOf(words, seconds) {
  const last = Math.max(seconds || 0, ...words.map((word) => word.end_s), 0.01);
  const most = Math.max(...words.map((word) => Math.max(word.weight, word.weight_after ?? 0)), 0.01);
  const moves = words.some((word) => (word.weight_after ?? word.weight).toFixed(2) !== word.weight.toFixed(2));
  const timed = words.some((word) => word.end_s > 0);
  const body = make("tbody", {}, ...words.map((word) => {
    const after = word.weight_after ?? null;
    const moved = after !== null && after.toFixed(2) !== word.weight.toFixed(2);
    const weight = moved ? `${word.weight.toFixed(2)} → ${after.toFixed(2)}` : word.weight.toFixed(2);
    return make("tr", {},
      make("th", { scope: "row", textContent: word.text }),
      timed ? make("td", {}, word.end_s > 0 ? span(word, last) : "") : null,
      make("td", {}, bar((after ?? word.weight) / most, word.noun > 0.7), make("span", { className: "number", textContent: weight })));
  }));
  const heads = [TEXTS.word, timed ? TEXTS.heardFrom : null, TEXTS.weight].filter(Boolean);
  return make("table", { className: moves ? "words-table moved" : "words-table" },
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col", textContent: text })))), body);
}

function bar(share, marked) {
  const inside = make("span", { className: marked ? "bar noun" : "bar" });
  inside.style.width = `${Math.max(2, 100 * share)}%`;
  return make("span", { className: "track", "aria-hidden": "true" }, inside);
}

function span(word, last) {
  const inside = make("span", { className: "bar time-bar" });
  inside.style.left = `${(100 * word.start_s) / last}%`;
  inside.style.width = `${Math.max(1.5, (100 * (word.end_s - word.start_s)) / last)}%`;
  const label = TEXTS.fromTo(word.start_s, word.end_s);
  return make("span", { className: "track", role: "img", "aria-label": label, title: label }, inside);
}

/** The record of a painted result: similarities, words, every iteration cut from the strip. */
export function paintingOf(result) {
  const painting = result.painting;
  if (!painting) return null;
  const [soundBefore, soundAfter] = painting.similarity_to_sound;
  const [captionBefore, captionAfter] = painting.similarity_to_caption;
  const rows = [[TEXTS.toSound, soundBefore, soundAfter], [TEXTS.toCaption, captionBefore, captionAfter]];
  return make("section", { className: "painting", "aria-label": TEXTS.howPainted },
    make("h3", { textContent: TEXTS.howPainted }),
    make("dl", { className: "facts" }, ...rows.flatMap(([name, before, after]) =>
      [make("dt", { textContent: name }), make("dd", { textContent: TEXTS.change(before, after) })])),
    wordsOf(painting.words, painting.seconds),
    painting.iterations.length ? iterationsOf(result) : null);
}

function iterationsOf(result) {
  const { iterations, kept } = result.painting;
  const strip = new Image();
  const figures = iterations.map((numbers, number) => {
    const [, , width, height] = numbers.box;
    const canvas = make("canvas", { width, height, role: "img", "aria-label": TEXTS.iteration(number + 1) });
    return { canvas, numbers, element: iteration(canvas, number, numbers, number === kept) };
  });
  strip.onload = () => {
    for (const { canvas, numbers: { box: [left, top, width, height] } } of figures) {
      canvas.getContext("2d").drawImage(strip, left, top, width, height, 0, 0, width, height);
    }
  };
  strip.src = api.file(result.id, "iterations.png");
  return make("div", { className: "iterations" }, ...figures.map(({ element }) => element));
}

/** One picture of many, with its numbers. */
export function iteration(picture, number, numbers, kept) {
  return make("figure", { className: kept ? "kept" : "" }, picture,
    make("figcaption", {},
      make("b", { textContent: kept ? TEXTS.keptIteration(number + 1) : TEXTS.iteration(number + 1) }),
      make("span", { textContent: TEXTS.similarities(numbers.to_sound, numbers.to_caption) })));
}

/** Under the sound of the form: what is heard in it, with the weights of the words as they are edited. */
export function listener(caption) {
  const place = make("div", { className: "heard", "aria-live": "polite" });
  let version = 0;
  let heard = null;
  let seconds = 0;
  const show = (words) => place.replaceChildren(words.length ? wordsOf(words, seconds) : "");

  /** Captions an uploaded sound; the field shows the words, to be changed or left. */
  async function hear(input, length) {
    version += 1;
    const mine = version;
    seconds = length;
    heard = null;
    place.textContent = TEXTS.listening;
    try {
      const job = await api.caption(input);
      api.follow(job.id, (message) => {
        if (mine !== version) return;
        if (message.type === "caption") {
          heard = message;
          caption.placeholder = message.text;
          if (!caption.value) show(message.words);
        }
        if (message.type === "failed") place.textContent = message.message;
      });
    } catch (error) {
      place.textContent = error.message;
    }
  }

  async function edited() {
    version += heard ? 1 : 0;
    const mine = version;
    const text = caption.value.trim();
    if (!text) return show(heard?.words ?? []);
    try {
      const { words } = await api.words(text);
      if (mine !== version) return undefined;
      for (const word of words) { // a word that stays keeps its time
        const same = heard?.words.find((each) => each.text === word.text);
        if (same) Object.assign(word, { start_s: same.start_s, end_s: same.end_s });
      }
      return show(words);
    } catch (error) {
      return toast(error.message);
    }
  }

  const edit = make("button", { type: "button", textContent: TEXTS.editCaption, onclick: () => {
    if (!caption.value && heard) caption.value = heard.text;
    caption.focus();
  } });
  let typing = 0;
  caption.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(edited, 250); });
  return { element: make("div", {}, edit, place), hear };
}
