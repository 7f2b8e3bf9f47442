/** Own pictures and sounds: chosen, dropped, or recorded. */
import * as api from "./api.js";
import { make, toast } from "./dom.js";
import { TEXTS } from "./texts.js";

const ACCEPTED = { picture: "image/*", sound: "audio/*,video/*" };

/** A place for a file; `get` returns what the API wants, `ready` is called with what was uploaded. */
export function fileField(option, label, limits, ready = () => {}) {
  let value;
  const state = make("span", { className: "quiet", role: "status" });
  const input = make("input", {
    type: "file", id: `option-${option.name}`, accept: ACCEPTED[option.accepts] ?? "",
    onchange: () => input.files[0] && put(input.files[0]),
  });
  const clear = make("button", { type: "button", textContent: TEXTS.remove, hidden: true, onclick: () => set(undefined, "") });
  const place = make("div", { className: "drop", title: option.help },
    make("label", {}, `${label}: ${TEXTS.chooseFile}`, input),
    make("div", { className: "row" }, option.accepts === "sound" ? recorder(put) : null, clear, state));
  place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    place.classList.remove("over");
    if (event.dataTransfer.files[0]) put(event.dataTransfer.files[0]);
  });

  function set(next, words) {
    value = next;
    state.textContent = words;
    clear.hidden = next === undefined;
    if (next === undefined) input.value = "";
  }

  async function put(file) {
    if (file.size > limits.upload_bytes) return toast(TEXTS.tooLarge);
    set(undefined, TEXTS.uploading);
    try {
      const found = await api.upload(file);
      const facts = found.kind === "picture" ? `${found.width} × ${found.height}` : `${found.seconds.toFixed(1)} s`;
      if (option.accepts && found.kind !== option.accepts) throw new Error(TEXTS.notRecipe);
      set({ input: found.id }, `${file.name ?? ""} ${facts}`);
      ready({ input: found.id }, found.seconds ?? 0);
    } catch (error) {
      set(undefined, error.message);
    }
  }

  return {
    element: place, put, get: () => value, focus: () => input.focus(), usually() {},
    set: (next) => { if (next && typeof next === "object") set(next, next.name ?? ""); if (value) delete value.name; },
  };
}

function recorder(put) {
  if (!navigator.mediaDevices || !window.MediaRecorder) return null;
  let running = null;
  const button = make("button", { type: "button", textContent: TEXTS.record, onclick: toggle });
  async function toggle() {
    if (running) return running.stop();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return toast(TEXTS.microphoneRefused);
    }
    const blocks = [];
    running = new MediaRecorder(stream);
    running.ondataavailable = (event) => blocks.push(event.data);
    running.onstop = () => {
      for (const track of stream.getTracks()) track.stop();
      running = null;
      button.textContent = TEXTS.record;
      put(new File(blocks, "recording", { type: blocks[0]?.type ?? "" }));
    };
    running.start();
    button.textContent = TEXTS.stopRecording;
  }
  return button;
}
