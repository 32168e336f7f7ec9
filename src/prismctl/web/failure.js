// The card of a service that went wrong: the daemon writes it, the same as in the terminal.

import { element } from "./format.js";

const REFRESH_SECONDS = 5;

export class Failures {
  #holder = document.getElementById("failures");
  #cards = new Map();
  #folded = new Set();
  #onAction;

  // onAction(what, name)
  constructor({ onAction }) {
    this.#onAction = onAction;
  }

  // services: those that went wrong; what they say is asked for once for each way in which they did.
  // versionOf(service): changes with all that a card says.
  async draw(services, versionOf) {
    const names = new Set(services.map((service) => service.name));
    for (const [name, card] of this.#cards) {
      if (!names.has(name)) {
        card.element.remove();
        this.#cards.delete(name);
        this.#folded.delete(name);
      }
    }
    for (const service of services.slice(0, MAX_CARDS)) {
      const version = versionOf(service);
      const card = this.#cards.get(service.name) ?? this.#make(service.name);
      if (card.version === version && Date.now() - card.at < 1000 * REFRESH_SECONDS) continue;
      if (card.version === version && card.isWhole) continue;
      card.version = version;
      card.at = Date.now();
      await this.#fill(card, service.name);
    }
  }

  #make(name) {
    const text = element("div", { class: "card-text", tabindex: "0" });
    const buttons = element("div", { class: "commands" });
    for (const [what, words] of [["restart", "Restart"], ["logs", "Logs"]]) {
      const button = element("button", { type: "button" }, words);
      button.addEventListener("click", () => this.#onAction(what, name));
      buttons.append(button);
    }
    const made = element("section", { class: "card", "aria-label": `what went wrong with ${name}` }, text, buttons);
    this.#holder.append(made);
    const card = { element: made, text, version: "", at: 0, isWhole: false };
    this.#cards.set(name, card);
    return card;
  }

  async #fill(card, name) {
    let lines;
    try {
      const answer = await fetch(`v1/failure?${new URLSearchParams({ service: name })}`);
      if (!answer.ok) return;
      ({ lines } = await answer.json());
      card.isWhole = true;
    } catch {
      return;
    }
    card.text.replaceChildren(...lines.map((spans) => element(
      "div", {}, ...(spans.length ? spans : [{ text: " ", tone: "plain" }]).map(({ text, tone }) => element("span", { class: `tone-${tone}` }, text)),
    )));
  }
}

const MAX_CARDS = 5;
