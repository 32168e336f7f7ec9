// Which service is to be added: those that the stack's catalog and project have and that do not run.

import * as actions from "./actions.js";
import { clean } from "./clean.js";
import { element } from "./format.js";

const dialog = document.getElementById("adding");
const search = document.getElementById("adding-search");
const list = document.getElementById("adding-list");
const about = document.getElementById("adding-about");
const yes = document.getElementById("adding-yes");

let services = [];

export async function offerServices() {
  let isWanted = true;
  const giveUp = (event) => { if (event.key === "Escape") isWanted = false; };
  document.addEventListener("keydown", giveUp, true);
  const found = await actions.listAddable();
  document.removeEventListener("keydown", giveUp, true);
  // Asked for twice, it is there by now; another question is answered first.
  if (!isWanted || found === null || document.querySelector("dialog[open]")) return;
  services = found;
  search.value = "";
  show();
  dialog.returnValue = "no";
  dialog.showModal();
  search.focus();
}

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = services.filter(({ name, description }) => words.every((word) => `${name} ${description}`.toLowerCase().includes(word)));
  list.replaceChildren(...fitting.map(({ name, description }) => element(
    "option", { value: name }, description ? `${name}: ${clean(description)}` : name,
  )));
  list.selectedIndex = fitting.length ? 0 : -1;
  list.hidden = !fitting.length;
  describe();
}

function describe() {
  const chosen = services.find(({ name }) => name === list.value);
  yes.disabled = chosen === undefined;
  yes.textContent = chosen ? `Add ${chosen.name}` : "Add";
  if (chosen === undefined) about.textContent = services.length ? "nothing matches" : "all that the catalog has runs already";
  else about.textContent = chosen.brings.length ? `What it needs comes along: ${chosen.brings.join(", ")}.` : "Nothing else comes along.";
}

search.addEventListener("input", show);
search.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || list.hidden) return;
  event.preventDefault();
  list.selectedIndex = Math.max(0, Math.min(list.length - 1, list.selectedIndex + step));
  describe();
});
list.addEventListener("change", describe);
list.addEventListener("dblclick", () => dialog.close("yes"));
dialog.addEventListener("keydown", (event) => {
  // Wherever the focus is but on the button that says no.
  if (event.key !== "Enter" || ![search, list].includes(event.target)) return;
  event.preventDefault();
  if (!yes.disabled) dialog.close("yes");
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "yes" && list.value) actions.add(list.value);
});
