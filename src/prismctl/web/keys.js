// Keys: one table, which the help shows. Letters are commands only while nobody types, and can be turned off.

import { element } from "./format.js";

const STORED = "prismctl-single-letters";

export class Keys {
  #bindings;
  #help = document.getElementById("help");
  #switch = document.getElementById("keys-on");

  // bindings: [key, what it does, action]
  constructor(bindings) {
    this.#bindings = bindings;
    this.#switch.checked = localStorage.getItem(STORED) !== "off";
    this.#switch.addEventListener("change", () => localStorage.setItem(STORED, this.#switch.checked ? "on" : "off"));
    document.getElementById("keys").append(...bindings.flatMap(([key, words]) => [
      element("dt", {}, element("kbd", {}, key)), element("dd", {}, words),
    ]));
    document.addEventListener("keydown", (event) => this.#take(event));
  }

  showHelp() {
    this.#help.showModal();
  }

  #take(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    // Until the next frame is drawn, what was typed into keeps the focus although its dialog is closed.
    const isTyping = event.target.matches?.("input:not([type='checkbox']), select, textarea") && !event.target.closest("dialog:not([open])");
    if (event.key !== "Escape" && (isTyping || !this.#switch.checked)) return;
    const binding = this.#bindings.find(([key]) => key === event.key || (key === "Esc" && event.key === "Escape"));
    if (binding?.[2] === undefined) return;
    event.preventDefault();
    binding[2]();
  }
}
