/** A picture that plays: a line moves with the sound, a click seeks. */
import * as api from "./api.js";
import { make } from "./dom.js";
import { TEXTS } from "./texts.js";

const SAFE_VOLUME = 0.6;
/** Least distance between two marks of an axis. */
const LINE_PIXELS = 14;
const players = new Set();

/** Makes a player of a result. Keys: space, arrows, Home, End, L. */
export function playerOf(entry) {
  const audio = make("audio", { src: api.file(entry.id, "sound.wav"), preload: "auto", volume: volumeOf() });
  const image = make("img", {
    src: api.file(entry.id, "picture.png"), width: entry.width, height: entry.height, alt: entry.captions.join(", "),
  });
  const line = make("span", { className: "playline" });
  const axes = make("div", { className: "axes", hidden: true });
  const canvas = make("div", { className: "canvas" }, image, axes, line);
  const stage = make("div", {
    className: "stage", tabIndex: 0, role: "slider", "aria-label": TEXTS.position, title: TEXTS.keys,
    "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0,
  }, canvas);
  const time = make("span", { className: "time" });
  const play = make("button", { type: "button", textContent: TEXTS.play, onclick: toggle });
  const loop = make("button", { type: "button", textContent: TEXTS.loop, "aria-pressed": "false", onclick: () => setLoop() });
  const shows = make("button", { type: "button", textContent: TEXTS.gray, "aria-pressed": "false", onclick: swap });
  const scale = make("button", { type: "button", textContent: TEXTS.axes, "aria-pressed": "false", onclick: drawAxes });
  const zoom = make("input", { type: "range", min: 1, max: 6, step: 0.5, value: 1, oninput: () => { canvas.style.width = `${zoom.value * 100}%`; } });
  const volume = make("input", {
    type: "range", min: 0, max: 1, step: 0.05, value: audio.volume,
    oninput: () => { audio.volume = volume.value; localStorage.setItem("volume", volume.value); },
  });

  function volumeOf() {
    const kept = Number.parseFloat(localStorage.getItem("volume"));
    return kept >= 0 && kept <= 1 ? kept : SAFE_VOLUME;
  }
  function toggle() {
    if (!audio.paused) return audio.pause();
    for (const other of players) if (other !== audio) other.pause();
    return audio.play().catch(() => {});
  }
  function setLoop() {
    audio.loop = !audio.loop;
    loop.setAttribute("aria-pressed", audio.loop);
  }
  function swap() {
    const gray = shows.getAttribute("aria-pressed") !== "true";
    shows.setAttribute("aria-pressed", gray);
    image.src = api.file(entry.id, gray ? "spectrogram.png" : "picture.png");
  }
  function drawAxes() {
    axes.hidden = !axes.hidden;
    scale.setAttribute("aria-pressed", !axes.hidden);
    axes.replaceChildren(...(axes.hidden ? [] : marks(entry, audio.duration, image.clientHeight)));
  }
  function draw() {
    const all = audio.duration || 0;
    line.style.left = `${all ? (100 * audio.currentTime) / all : 0}%`;
    time.textContent = TEXTS.time(audio.currentTime, all);
    stage.setAttribute("aria-valuemax", all.toFixed(1));
    stage.setAttribute("aria-valuenow", audio.currentTime.toFixed(1));
    if (!audio.paused) requestAnimationFrame(draw);
  }
  function seek(to) {
    audio.currentTime = Math.min(Math.max(to, 0), audio.duration || 0);
    draw();
  }
  stage.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * (audio.duration || 0));
  });
  const keys = { " ": toggle, ArrowLeft: () => seek(audio.currentTime - 0.25), ArrowRight: () => seek(audio.currentTime + 0.25),
    Home: () => seek(0), End: () => seek(audio.duration), l: setLoop, L: setLoop };
  function press(event) {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }
  stage.addEventListener("keydown", press);
  for (const name of ["play", "pause", "loadedmetadata", "seeked", "ended"]) audio.addEventListener(name, () => {
    play.textContent = audio.paused ? TEXTS.play : TEXTS.pause;
    draw();
  });
  draw();
  players.add(audio);
  const element = make("div", { className: "player" }, stage,
    make("div", { className: "controls" }, play, time, loop, shows, scale,
      make("label", {}, TEXTS.zoom, zoom), make("label", {}, TEXTS.volume, volume)), audio);
  return { element, stage, press, stop: () => { audio.pause(); players.delete(audio); } };
}

/** Marks of time at the bottom and of frequency at the left; mel bands lie on Slaney's scale. */
function marks(entry, seconds, height) {
  const found = [];
  for (let at = 1; at < 5 && seconds; at += 1) {
    const mark = make("span", { textContent: `${((seconds * at) / 5).toFixed(1)} s` });
    Object.assign(mark.style, { left: `${at * 20}%`, bottom: "2px" });
    found.push(mark);
  }
  const { f_min: low, f_max: high } = entry.mel ?? {};
  if (high === undefined) return found;
  const mel = (hertz) => (hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4));
  let last = -1;
  for (const hertz of [250, 500, 1000, 2000, 4000, 8000, 16000]) {
    const up = (mel(hertz) - mel(low)) / (mel(high) - mel(low));
    if (up < 0.04 || up > 0.97 || (up - last) * height < LINE_PIXELS) continue;
    last = up;
    const mark = make("span", { textContent: TEXTS.hertz(hertz) });
    Object.assign(mark.style, { left: "4px", top: `calc(${(1 - up) * 100}% - 7px)` });
    found.push(mark);
  }
  return found;
}
