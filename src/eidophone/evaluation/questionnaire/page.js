"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SIDES = ["left", "right"];
const slot = "eidophone-" + data.questionnaire;
let state = fresh();
let shownAt = 0;
let warned = false;

function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const id = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return { id, name: "", started: "", at: -1, answers: {}, seconds: {} };
}

function keep() {
  try {
    localStorage.setItem(slot, JSON.stringify(state));
  } catch {
    if (!warned) $("place").textContent += " (This browser cannot keep your progress; do not close the page.)";
    warned = true;
  }
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(slot) || "null");
    if (kept && typeof kept.id === "string" && kept.answers && kept.seconds) state = { ...state, ...kept };
  } catch { /* a damaged or forbidden store: begin anew */ }
}

function asks(question, prompts) {
  if (question === "looks") return `Which looks more like “${prompts.image}”?`;
  if (question === "sounds") return `Which sounds more like “${prompts.audio}”?`;
  return prompts.audio ? "Overall, which is the better picture that plays?" : "Overall, which picture fits its sound better?";
}

function show() {
  for (const side of SIDES) $("sound-" + side).pause();
  $("start").hidden = state.at >= 0;
  $("trial").hidden = state.at < 0 || state.at >= data.trials.length;
  $("end").hidden = state.at < data.trials.length;
  keep();
  if ($("trial").hidden) return;
  const trial = data.trials[state.at];
  $("place").textContent = `Pair ${state.at + 1} of ${data.trials.length}`;
  $("bar").max = data.trials.length;
  $("bar").value = state.at;
  $("back").disabled = state.at === 0;
  for (const side of SIDES) {
    $("picture-" + side).src = data.media[trial.sides[side].picture];
    $("sound-" + side).src = data.media[trial.sides[side].sound];
  }
  $("questions").replaceChildren(...trial.questions.map((question) => field(trial, question)));
  shownAt = performance.now();
  refresh();
}

function field(trial, question) {
  const set = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = asks(question, trial.prompts);
  set.append(legend);
  for (const side of SIDES) {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = question;
    radio.value = side;
    radio.checked = (state.answers[trial.name] || {})[question] === side;
    radio.addEventListener("change", () => answer(trial, question, side));
    label.append(radio, side === "left" ? "Left" : "Right");
    set.append(label);
  }
  return set;
}

function answer(trial, question, side) {
  (state.answers[trial.name] ||= {})[question] = side;
  (state.seconds[trial.name] ||= {})[question] = Math.round((performance.now() - shownAt) / 100) / 10;
  keep();
  refresh();
}

function unanswered() {
  const trial = data.trials[state.at];
  return trial.questions.filter((question) => !(state.answers[trial.name] || {})[question]);
}

function refresh() {
  $("next").disabled = unanswered().length > 0;
}

function move(by) {
  state.at += by;
  show();
  window.scrollTo(0, 0);
  const target = $("end").hidden ? $("place") : $("save-json");
  target.tabIndex = target.tabIndex || -1;
  target.focus({ preventScroll: true });
}

function rows() {
  const found = [];
  for (const trial of data.trials)
    for (const question of trial.questions) {
      const choice = (state.answers[trial.name] || {})[question];
      if (choice) found.push({ trial: trial.name, question, choice, seconds: state.seconds[trial.name][question] });
    }
  return found;
}

function asJson() {
  const { id, name, started } = state;
  return JSON.stringify({ format: 1, questionnaire: data.questionnaire, participant: id, name, started, answers: rows() }, null, 1);
}

function asCsv() {
  const lines = rows().map((row) => [data.questionnaire, state.id, row.trial, row.question, row.choice, row.seconds].join(","));
  return ["questionnaire,participant,trial,question,choice,seconds", ...lines].join("\r\n") + "\r\n";
}

function save(text, kind, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = `answers-${state.id}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  $("saved").textContent = `Saved as ${link.download}.`;
}

function play(side) {
  for (const other of SIDES) if (other !== side) $("sound-" + other).pause();
  const sound = $("sound-" + side);
  if (sound.paused) sound.play().catch(() => {});
  else sound.pause();
}

$("begin").addEventListener("click", () => {
  state.name = $("who").value.trim();
  state.started ||= new Date().toISOString();
  state.at = 0;
  show();
});
$("back").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
$("again").addEventListener("click", () => move(-1));
$("early").addEventListener("click", () => save(asJson(), "application/json", "json"));
$("save-json").addEventListener("click", () => save(asJson(), "application/json", "json"));
$("save-csv").addEventListener("click", () => save(asCsv(), "text/csv", "csv"));
for (const side of SIDES)
  $("sound-" + side).addEventListener("play", () => $("sound-" + (side === "left" ? "right" : "left")).pause());
document.addEventListener("keydown", (event) => {
  if ($("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const letter = event.key.toLowerCase();
  if (letter === "q" || letter === "w") play(letter === "q" ? "left" : "right");
  else if (letter === "1" || letter === "2") {
    const [question] = unanswered();
    if (question) {
      const radio = document.querySelector(`input[name="${question}"][value="${SIDES[letter - 1]}"]`);
      radio.click();
      radio.focus();
    }
  } else if (event.key === "Enter" && !$("next").disabled && event.target.tagName !== "BUTTON") move(1);
  else return;
  event.preventDefault();
});
recall();
$("count").textContent = String(data.trials.length);
if (state.at >= data.trials.length) state.at = data.trials.length;
show();
