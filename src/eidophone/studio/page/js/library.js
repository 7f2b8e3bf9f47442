/** The library: a virtual list, of which only what is on the screen is in the document. */
import * as api from "./api.js";
import { find, make, toast } from "./dom.js";
import { show as openResults } from "./viewer.js";
import { TEXTS } from "./texts.js";

const PAGE = 60;
const GAP = 14;
const HEIGHT = 204;
const LEAST_WIDTH = 240;

let pages = new Map();
let total = 0;
let cells = new Map();
let query = { q: "", sort: "newest", stars: 0 };
let version = 0;
const chosen = new Map();

/** Fills the controls and shows the first page. */
export function open() {
  find("#sort").append(...Object.entries(TEXTS.sorts).map(([value, text]) => new Option(text, value)));
  find("#stars").append(...[0, 1, 2, 3, 4, 5].map((count) => new Option(count ? `${"★".repeat(count)}` : TEXTS.anyStars, count)));
  let typing = 0;
  find("#search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(changed, 200); });
  for (const id of ["#sort", "#stars"]) find(id).addEventListener("change", changed);
  find("#compare").addEventListener("click", () => openResults([...chosen.values()], rated));
  find("#compare").title = TEXTS.compareHint;
  addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(find("#grid"));
  return reload();
}

function changed() {
  query = { q: find("#search").value, sort: find("#sort").value || "newest", stars: find("#stars").value || 0 };
  return reload();
}

/** Asks for the list again; what is shown stays until the answer is here. */
export async function reload() {
  version += 1;
  const mine = version;
  const first = Math.max(0, Math.floor(visible().first / PAGE));
  try {
    const answer = await api.results({ ...query, offset: first * PAGE, limit: PAGE });
    if (mine !== version) return;
    pages = new Map([[first, answer.results]]);
    total = answer.total;
    find("#total").textContent = total ? TEXTS.results(total) : query.q || Number(query.stars) ? TEXTS.nothingFound : TEXTS.empty;
    for (const cell of cells.values()) cell.remove();
    cells = new Map();
    draw();
  } catch (error) {
    toast(error.message);
  }
}

function layout() {
  const width = find("#grid").clientWidth;
  const columns = Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
  return { columns, cell: (width - GAP * (columns - 1)) / columns };
}

function visible() {
  const { columns } = layout();
  const top = find("#grid").getBoundingClientRect().top;
  const rows = Math.ceil(innerHeight / (HEIGHT + GAP)) + 3;
  const last = Math.max(0, Math.ceil(total / columns) - rows); // a shorter list may end above the screen
  const row = Math.min(last, Math.max(0, Math.floor(-top / (HEIGHT + GAP)) - 1));
  return { first: row * columns, last: (row + rows) * columns };
}

async function fetchPage(number) {
  const mine = version;
  pages.set(number, null);
  try {
    const answer = await api.results({ ...query, offset: number * PAGE, limit: PAGE });
    if (mine === version) pages.set(number, answer.results);
  } catch {
    pages.delete(number);
  }
  draw();
}

function draw() {
  const { columns, cell } = layout();
  find("#grid").style.height = `${Math.ceil(total / columns) * (HEIGHT + GAP)}px`;
  const { first, last } = visible();
  const wanted = new Set();
  for (let place = first; place < Math.min(last, total); place += 1) {
    const page = Math.floor(place / PAGE);
    if (!pages.has(page)) fetchPage(page);
    const entry = pages.get(page)?.[place % PAGE];
    if (!entry) continue;
    wanted.add(place);
    if (!cells.has(place)) cells.set(place, find("#grid").appendChild(cellOf(entry, place)));
    const style = cells.get(place).style;
    style.width = `${cell}px`;
    style.height = `${HEIGHT}px`;
    style.transform = `translate(${(place % columns) * (cell + GAP)}px, ${Math.floor(place / columns) * (HEIGHT + GAP)}px)`;
  }
  for (const [place, element] of cells) {
    if (!wanted.has(place) && !element.contains(document.activeElement)) { element.remove(); cells.delete(place); }
  }
}

export const caption = (entry) => entry.captions.join(" · ") || entry.verb;

function cellOf(entry, place) {
  const score = entry.score === null ? "" : entry.score.toFixed(2);
  const check = make("input", {
    type: "checkbox", checked: chosen.has(entry.id), title: TEXTS.select, "aria-label": `${TEXTS.select}: ${caption(entry)}`,
    onchange: () => choose(entry, check),
  });
  return make("div", { className: "cell", role: "listitem", "aria-setsize": total, "aria-posinset": place + 1, "data-id": entry.id },
    make("button", { className: "open", type: "button", "aria-label": TEXTS.openResult(caption(entry)), onclick: () => openResults([entry], rated) },
      make("img", { src: api.file(entry.id, "thumbnail.jpg"), alt: "", width: entry.width, height: entry.height, decoding: "async" })),
    make("p", { className: "caption", textContent: caption(entry), title: caption(entry) }),
    make("div", { className: "under" }, starsOf(entry, rated), make("span", { textContent: score, title: score && TEXTS.sorts.score }), check));
}

function choose(entry, check) {
  if (check.checked) chosen.set(entry.id, entry);
  else chosen.delete(entry.id);
  if (chosen.size > 2) {
    const [oldest] = chosen.keys();
    chosen.delete(oldest);
    const box = find(`[data-id="${oldest}"] input`);
    if (box) box.checked = false;
  }
  find("#compare").disabled = chosen.size !== 2;
}

/** Buttons for one to five stars; pressing the present number takes them away. */
export function starsOf(entry, rated) {
  const buttons = [1, 2, 3, 4, 5].map((count) =>
    make("button", { type: "button", textContent: "★", "aria-label": TEXTS.starsOf(count), onclick: () => give(count) }));
  const paint = () => buttons.forEach((button, at) => {
    button.classList.toggle("on", at < entry.stars);
    button.setAttribute("aria-pressed", at + 1 === entry.stars);
  });
  async function give(count) {
    try {
      entry.stars = (await api.rate(entry.id, entry.stars === count ? 0 : count)).stars;
      paint();
      rated(entry);
    } catch (error) {
      toast(error.message);
    }
  }
  paint();
  return make("span", { className: "stars", role: "group", "aria-label": TEXTS.rating }, ...buttons);
}

export function rated(entry) {
  for (const page of pages.values()) {
    const same = page?.find((each) => each.id === entry.id);
    if (same) same.stars = entry.stars;
  }
  find(`[data-id="${entry.id}"] .stars`)?.querySelectorAll("button").forEach((button, at) => {
    button.classList.toggle("on", at < entry.stars);
    button.setAttribute("aria-pressed", at + 1 === entry.stars);
  });
}
