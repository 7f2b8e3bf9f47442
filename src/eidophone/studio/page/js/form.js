/** The form of a verb, built from /api/options/VERB. */
import * as api from "./api.js";
import { find, make, toast } from "./dom.js";
import { fileField } from "./files.js";
import { listener } from "./painting.js";
import { EXAMPLES, TEXTS } from "./texts.js";

const forms = new Map();
let shown = null;
let fields = new Map();
let limits = {};
/** Shown at once; all other options stand behind "More options". */
const BASICS = ["preset", "count", "seed"];

/** Shows the verbs in the navigation and opens the first. */
export async function open() {
  const about = await api.verbs();
  limits = about;
  find("#verbs").append(
    ...about.verbs.map(({ name }) =>
      make("button", { type: "button", id: `verb-${name}`, textContent: TEXTS.verbs[name] ?? name, onclick: () => show(name) })),
  );
  await show(about.verbs[0].name);
}

/** Shows the form of a verb, with values in it. */
export async function show(verb, values = {}, note = "") {
  if (!forms.has(verb)) forms.set(verb, await api.form(verb));
  shown = forms.get(verb);
  ears = null;
  for (const button of find("#verbs").children) {
    if (button.id === `verb-${verb}`) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  find("#make-title").textContent = shown.summary[0].toUpperCase() + shown.summary.slice(1) + ".";
  fields = new Map();
  const all = shown.groups.flatMap((group) => group.options);
  const replacing = new Set(shown.arguments.map((argument) => argument.replaced_by).filter(Boolean));
  const basics = all.filter((option) => BASICS.includes(option.name) || replacing.has(option.name));
  const caption = all.find((option) => option.name === "caption");
  if (caption) basics.push(caption);
  const rest = shown.groups.map((group) => ({ ...group, options: group.options.filter((option) => !basics.includes(option)) }));
  find("#form").replaceChildren(
    ...shown.arguments.map((option) => field(option)),
    ...(caption ? [field(caption), heard()] : []),
    ...basics.filter((option) => option.kind === "file").map(field),
    ...examples(),
    make("div", { className: "row" }, ...basics.filter((option) => option.kind !== "file" && option !== caption).map(field)),
    make("details", { id: "more" }, make("summary", { textContent: TEXTS.more }), ...rest.filter((group) => group.options.length).map(groupOf)),
    make("p", { className: "note", hidden: !note, textContent: note }),
    make("p", { className: "problem", id: "problem", role: "alert" }),
    make("button", { className: "main", id: "start", textContent: TEXTS.make }),
  );
  presetChanged();
  for (const [name, value] of Object.entries(values)) fields.get(name)?.set(value);
}

/** Sends the form; returns the job. */
export async function submit() {
  find("#problem").textContent = "";
  const options = {};
  for (const [name, entry] of fields) {
    const value = entry.get();
    if (value !== undefined) options[name] = value;
  }
  if (fields.has("judges") && options.judges === undefined) options.judges = "tiny"; // so that results can be sorted
  try {
    return await api.start(shown.verb, options);
  } catch (error) {
    find("#problem").textContent = error.message;
    return null;
  }
}

/** Brings the settings of a picture or sound of Eidophone back; otherwise takes it as own material. */
export async function take(file) {
  try {
    const found = await api.recipe(file);
    await show(found.verb, found.options, found.left_out.length ? TEXTS.leftOut(found.left_out) : "");
    toast(TEXTS.settingsLoaded);
  } catch {
    const kind = file.type.split("/")[0] === "image" ? "picture" : "sound";
    if (!fields.has(kind)) await show(kind === "picture" ? "imprint" : "paint");
    await fields.get(kind)?.put(file);
  }
}

/** What is heard in the sound of the form, where its verb takes a caption. */
let ears = null;
function heard() {
  ears = listener(fields.get("caption").input);
  return ears.element;
}

function groupOf(group) {
  return make("fieldset", {}, make("legend", { textContent: TEXTS.groups[group.name] ?? group.name }), ...group.options.map(field));
}

function field(option) {
  const label = TEXTS.labels[option.name] ?? words(option.flag ?? option.name);
  if (option.kind === "file") {
    const entry = fileField(option, label, limits, (input, seconds) => {
      if (fields.get(option.name) === entry) ears?.hear(input, seconds); // another form may stand here by now
    });
    fields.set(option.name, entry);
    return entry.element;
  }
  const input = control(option);
  fields.set(option.name, access(option, input));
  const id = `option-${option.name}`;
  input.id = id;
  if (option.kind === "flag") return make("label", { className: "check", title: option.help }, input, label);
  const isArgument = shown.arguments.some((argument) => argument.name === option.name);
  const isBasic = BASICS.includes(option.name);
  const help = isArgument || isBasic ? null : make("span", { className: "help", id: `${id}-help`, textContent: option.help });
  if (help) input.setAttribute("aria-describedby", help.id);
  return make("label", { title: isBasic ? option.help : "" }, label, input, help);
}

const words = (flag) => {
  const text = flag.replace(/^--/, "").replaceAll("-", " ");
  return text[0].toUpperCase() + text.slice(1);
};

function control(option) {
  if (option.kind === "flag") return make("input", { type: "checkbox", checked: Boolean(option.default) });
  if (option.kind === "choice") {
    const choices = option.optional ? ["", ...option.choices] : option.choices;
    const input = make("select", {}, ...choices.map((name) => new Option(name || TEXTS.automatic, name)));
    input.value = option.default ?? "";
    if (option.name === "preset") input.addEventListener("change", presetChanged);
    return input;
  }
  if (option.kind === "integer" || option.kind === "number") {
    return make("input", {
      type: "number", step: option.kind === "integer" ? "1" : "any", min: option.minimum ?? "", max: option.maximum ?? "",
      placeholder: option.default === null ? TEXTS.automatic : "", value: option.default ?? "",
    });
  }
  if (option.kind === "text" && (option.name === "caption" || shown.arguments.some((argument) => argument.name === option.name))) {
    return make("textarea", { rows: 2, maxLength: 2000, value: option.default ?? "" });
  }
  const input = make("input", { type: "text", maxLength: 2000, value: option.default ?? "" });
  if (option.kind === "model") {
    find("#models")?.remove();
    document.body.append(make("datalist", { id: "models" }, ...shown.models.map((name) => new Option(name))));
    input.setAttribute("list", "models");
  }
  return input;
}

/** Reads and sets a control; a value that is the default is not sent, so that the preset decides. */
function access(option, input) {
  const entry = { input, usual: option.default, touched: false };
  input.addEventListener("input", () => { entry.touched = true; });
  entry.get = () => {
    if (option.kind === "flag") return input.checked === Boolean(entry.usual) ? undefined : input.checked;
    const text = input.value.trim();
    if (text === "" || text === String(entry.usual ?? "")) return option.name === "preset" && text ? text : undefined;
    return option.kind === "integer" || option.kind === "number" ? Number(text) : text;
  };
  entry.set = (value) => {
    entry.touched = true;
    if (option.kind === "flag") input.checked = Boolean(value);
    else input.value = value ?? "";
    if (option.name === "preset") presetChanged();
    if (option.name === "caption") input.dispatchEvent(new Event("input"));
  };
  entry.usually = (value) => {
    if (!entry.touched && option.kind === "flag") input.checked = Boolean(value);
    else if (!entry.touched) input.value = value ?? "";
    entry.usual = value;
  };
  entry.focus = () => input.focus();
  return entry;
}

/** Shows the values that the chosen preset sets, in fields that nobody has changed. */
function presetChanged() {
  const chosen = shown.presets[find("#option-preset")?.value];
  if (!chosen) return;
  for (const option of [...shown.groups.flatMap((group) => group.options)]) {
    if (option.kind === "file" || option.name === "preset") continue;
    const plain = shown.presets.fast && option.name in shown.presets.fast && !(option.name in chosen) ? null : option.default;
    fields.get(option.name)?.usually(option.name in chosen ? chosen[option.name] : plain);
  }
}

function examples() {
  if (!fields.has("image_prompt") || !fields.has("audio_prompt") || shown.arguments.length < 2 || fields.has("picture") && shown.verb !== "imprint") return [];
  const buttons = EXAMPLES.map(([looks, sounds]) =>
    make("button", {
      type: "button", textContent: `${looks.split(",")[0]} · ${sounds}`,
      onclick: () => { fields.get("image_prompt").set(looks); fields.get("audio_prompt").set(sounds); },
    }));
  return [make("div", { className: "examples", role: "group", "aria-label": TEXTS.examples }, ...buttons)];
}
