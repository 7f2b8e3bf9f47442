/** Starts the page. */
import { find, toast } from "./dom.js";
import * as form from "./form.js";
import * as jobs from "./jobs.js";
import * as library from "./library.js";
import { TEXTS } from "./texts.js";
import { show } from "./viewer.js";

for (const element of document.querySelectorAll("[data-text]")) element.textContent = TEXTS[element.dataset.text];

let reloading = 0;
const finished = () => { clearTimeout(reloading); reloading = setTimeout(library.reload, 50); };

const openResult = (result) => show([result], library.rated);

find("#form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = find("#start");
  button.disabled = true;
  const job = await form.submit();
  button.disabled = false;
  if (job) jobs.watch(job, finished, openResult);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) form.take(file);
});

try {
  await Promise.all([form.open(), library.open(), jobs.resume(finished, openResult)]);
} catch (error) {
  toast(error.message);
}
document.body.dataset.ready = "yes";
performance.mark("ready");
