/** Small helpers around the document. */

/** Makes an element; properties that start with "on" are listeners, "data-"/"aria-"/"role" are attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for" || name === "list") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (selector) => document.querySelector(selector);

let hiding = 0;
/** Shows a sentence for a few seconds; screen readers read it. */
export function toast(words) {
  const place = find("#toast");
  const host = find("#dialog").open ? find("#dialog") : document.body;
  if (place.parentElement !== host) host.append(place); // above an open dialog
  place.textContent = words;
  place.classList.add("on");
  clearTimeout(hiding);
  hiding = setTimeout(() => place.classList.remove("on"), 4000);
}
