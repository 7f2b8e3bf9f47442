/** One result large, or two side by side, with what can be done next. */
import * as api from "./api.js";
import { find, make, toast } from "./dom.js";
import * as form from "./form.js";
import { caption, starsOf } from "./library.js";
import { paintingOf } from "./painting.js";
import { playerOf } from "./player.js";
import { TEXTS } from "./texts.js";
import { viewsOf } from "./views.js";

const DOWNLOADS = [["PNG", "picture.png"], ["WAV", "sound.wav"], ["FLAC", "sound.flac"], ["MP4", "video.mp4"], ["ZIP", "result.zip"]];

/** Opens the dialog. */
export function show(entries, rated) {
  const dialog = find("#dialog");
  const players = entries.map(playerOf);
  const panes = entries.map((entry, at) => pane(entry, players[at], rated, entries.length > 1, () => dialog.close()));
  const title = make("h2", { id: "dialog-title", textContent: entries.length > 1 ? TEXTS.compare : caption(entries[0]) });
  const close = make("button", { type: "button", textContent: TEXTS.close, onclick: () => dialog.close() });
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.replaceChildren(make("div", { className: "dialog-top" }, title, close), entries.length > 1 ? make("div", { className: "two" }, ...panes) : panes[0]);
  const opened = document.activeElement;
  const press = (event) => { if (event.target === dialog || event.target === close && event.key !== " ") players[0].press(event); };
  dialog.addEventListener("keydown", press);
  dialog.addEventListener("close", () => {
    for (const player of players) player.stop();
    if (find("#toast").parentElement === dialog) document.body.append(find("#toast"));
    dialog.removeEventListener("keydown", press);
    opened?.focus?.();
  }, { once: true });
  dialog.showModal();
  players[0].stage.focus();
}

function pane(entry, player, rated, named, close) {
  const more = make("div", {});
  const found = make("div", {}, named ? make("p", { className: "quiet", textContent: caption(entry) }) : null,
    player.element, make("div", { className: "actions" }, starsOf(entry, rated)), more);
  api.result(entry.id).then((details) => {
    entry.mel = details.mel;
    more.replaceChildren(...[actions(details, close), viewsOf(details), facts(details), paintingOf(details)].filter(Boolean));
  }).catch((error) => toast(error.message));
  return found;
}

function actions(entry, close) {
  const { verb, options, left_out } = entry.settings;
  const note = left_out.length ? ` ${TEXTS.leftOut(left_out)}` : "";
  const act = (text, what) => make("button", { type: "button", textContent: text, onclick: what });
  const fill = async (name, values, words) => { close(); await form.show(name, values, words); find("#make").scrollIntoView(); };
  return make("div", { className: "actions" },
    "seed" in options ? act(TEXTS.moreLikeThis, async () => {
      await fill(verb, { ...options, index: options.index + 1, count: 4 }, note);
      if (!left_out.length) find("#form").requestSubmit();
    }) : null,
    act(TEXTS.changeOneThing, () => fill(verb, options, TEXTS.oneThing + note)),
    act(TEXTS.colorize, () => fill("colorize", { picture: { result: entry.id, name: caption(entry) }, image_prompt: options.image_prompt ?? "" }, "")),
    act(TEXTS.copyCommand, () => copy(entry.command)),
    act(TEXTS.copyPython, () => copy(entry.python)),
    ...DOWNLOADS.map(([name, file]) => make("a", {
      href: api.file(entry.id, file), download: `${entry.run}-${String(entry.index).padStart(4, "0")}-${file}`,
      textContent: name, "aria-label": `${TEXTS.download} ${name}`,
    })));
}

function facts(entry) {
  const rows = [[TEXTS.seed, entry.seed === null ? null : entry.seed], [TEXTS.looks, entry.looks?.toFixed(3)], [TEXTS.sounds, entry.sounds?.toFixed(3)],
    [TEXTS.made, new Date(entry.made).toLocaleString("en")], [TEXTS.folder, entry.run]];
  return make("dl", { className: "facts" }, ...rows.filter(([, value]) => value !== null && value !== undefined).flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: value })]));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed on plain addresses of other hosts
    const area = find("#dialog").appendChild(make("textarea", { value: text }));
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(TEXTS.copied);
}
