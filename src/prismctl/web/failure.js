// The cards of services that went wrong: the daemon writes them, the same as in the terminal.

import { element } from "./format.js";

const RETRY_SECONDS = 2;
const MAX_CARDS = 5;
// Where there is less room than this, a card says only what went wrong until somebody opens it.
const ROOMY = matchMedia("(min-width: 801px) and (min-height: 640px)");

export class Failures {
  #holder = document.getElementById("failures");
  #more = element("p", { class: "muted", hidden: "" });
  #cards = new Map();
  #onAction;

  // onAction(what, name)
  constructor({ onAction }) {
    this.#onAction = onAction;
  }

  // services: those whose cards are shown; versionOf(service): changes with all that a card says.
  draw(services, versionOf) {
    const shown = services.slice(0, MAX_CARDS);
    const names = new Set(shown.map((service) => service.name));
    for (const [name, card] of this.#cards) {
      if (names.has(name)) continue;
      clearTimeout(card.timer);
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const service of shown) {
      const card = this.#cards.get(service.name) ?? this.#make(service.name);
      card.wanted = versionOf(service);
      this.#freshen(card);
    }
    this.#more.hidden = services.length <= MAX_CARDS;
    this.#more.textContent = `and ${services.length - MAX_CARDS} more that are not well: f goes from one to the next`;
    if (this.#more.hidden) this.#more.remove();
    else this.#holder.append(this.#more);
  }

  #make(name) {
    const text = element("div", { class: "card-text", id: `card-of-${name}` });
    const fold = element("button", { type: "button", class: "fold", "aria-controls": text.id });
    const buttons = element("div", { class: "commands" }, fold);
    for (const [what, words] of [["restart", "Restart"], ["logs", "Logs"]]) {
      const button = element("button", { type: "button", "data-what": what }, words);
      button.addEventListener("click", () => this.#onAction(what, name));
      buttons.append(button);
    }
    const made = element("section", { class: "card", "aria-label": `what went wrong with ${name}` }, text, buttons);
    // One is open, where there is room: of several, somebody chooses.
    const card = { name, element: made, text, fold, wanted: "", version: null, isAsking: false, timer: 0, isOpen: ROOMY.matches && !this.#cards.size };
    fold.addEventListener("click", () => {
      card.isOpen = !card.isOpen;
      showFolding(card);
    });
    showFolding(card);
    this.#holder.append(made);
    this.#cards.set(name, card);
    return card;
  }

  // Until what is shown is of the version that is wanted: what changes while it is asked for is asked for again, as is what
  // could not be answered.
  async #freshen(card) {
    if (card.isAsking || card.version === card.wanted) return;
    clearTimeout(card.timer);
    card.isAsking = true;
    const asked = card.wanted;
    const lines = await askForCard(card.name);
    card.isAsking = false;
    if (this.#cards.get(card.name) !== card) return;
    if (lines === null) {
      card.timer = setTimeout(() => this.#freshen(card), 1000 * RETRY_SECONDS);
      return;
    }
    card.version = asked;
    card.text.replaceChildren(...lines.map(drawLine));
    await this.#freshen(card);
  }
}

// The lines of a card; null where they cannot be had now.
async function askForCard(name) {
  try {
    const answer = await fetch(`v1/failure?${new URLSearchParams({ service: name })}`);
    return answer.ok ? (await answer.json()).lines : null;
  } catch {
    return null;
  }
}

function drawLine(spans) {
  const shown = spans.length ? spans : [{ text: " ", tone: "plain" }];
  return element("div", {}, ...shown.map(({ text, tone }) => element("span", { class: `tone-${tone}` }, text)));
}

function showFolding({ element: card, fold, isOpen }) {
  card.classList.toggle("folded", !isOpen);
  fold.textContent = isOpen ? "Less" : "More";
  fold.setAttribute("aria-expanded", String(isOpen));
}
