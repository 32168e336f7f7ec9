// What happened, the newest first.

import { clean } from "./clean.js";
import { element, renderClock } from "./format.js";

const MAX_EVENTS = 500;
const TONES = {
  "service.healthy": "good", "service.completed": "good", "stack.ready": "good", "component.ready": "good",
  "service.failed": "bad", "component.lost": "bad", "log.lost": "bad",
  "service.unhealthy": "busy", "service.exited": "busy", "service.starting": "busy", "swept": "busy",
};

// In a few words, for who waits for what comes of it.
export function describeEvent({ kind, service, message }) {
  const word = service ? `${service} ${kind.split(".").at(-1)}` : kind;
  return message ? `${word}: ${clean(message)}` : word;
}

export class EventList {
  #list = document.getElementById("event-list");
  lastSequence = 0;

  take(events) {
    const items = [];
    for (const event of events) {
      // A new life of the stack counts from one again.
      if (event.sequence <= this.lastSequence && event.sequence !== 1) continue;
      this.lastSequence = event.sequence;
      const who = event.instance ? `${event.service}#${event.instance}` : event.service;
      const item = element(
        "li", { "data-tone": TONES[event.kind] ?? "muted", value: event.sequence },
        element("time", { datetime: new Date(event.time * 1000).toISOString() }, renderClock(event.time)), " ",
        element("span", { class: "kind" }, event.kind), " ",
        element("strong", {}, who), " ",
        element("span", {}, clean(event.message)),
      );
      items.unshift(item);
    }
    this.#list.prepend(...items);
    while (this.#list.childElementCount > MAX_EVENTS) this.#list.lastElementChild.remove();
  }
}
