// The table of services: one row each, changed where something has changed, never made anew.

import { clean } from "./clean.js";
import {
  UNKNOWN, countOf, element, renderBytes, renderLatency, renderPercent, renderRate, symbolOfService, toneOfService,
} from "./format.js";
import { drawSparkline } from "./metrics.js";

const renderPort = (port) => (port.protocol === "udp" ? `${port.port}/udp` : String(port.port));

const COLUMNS = [
  ["ports", "c-ports", (each) => each.ports.map(renderPort).join(" ") || UNKNOWN],
  ["rate", "number", (each) => renderRate(each.requests_per_second)],
  ["errors", "number c-errors", (each) => renderRate(each.errors_per_second)],
  ["p95", "number c-p95", (each) => renderLatency(each.latency_p95_seconds)],
  ["memory", "number", (each) => renderBytes(each.memory_bytes)],
  ["cpu", "number c-cpu", (each) => renderPercent(each.cpu_percent)],
  ["restarts", "number c-restarts", (each) => String(each.restarts)],
];

class Row {
  constructor(name, onSelect) {
    this.name = name;
    this.shown = {};
    this.mark = element("span", { class: "mark", "aria-hidden": "true" });
    this.button = element("button", { type: "button", class: "name", tabindex: "-1", "aria-pressed": "false" }, name);
    this.button.addEventListener("click", () => onSelect(name));
    this.word = element("span", { class: "word" });
    this.why = element("span", { class: "why" });
    this.cells = Object.fromEntries(COLUMNS.map(([key, kind]) => [key, element("td", { class: kind })]));
    this.spark = element("td", { class: "c-spark" });
    this.element = element(
      "tr", {},
      element("th", { scope: "row" }, this.mark, " ", this.button),
      element("td", {}, this.word, this.why),
      ...Object.values(this.cells),
      this.spark,
    );
    this.element.addEventListener("click", (event) => {
      if (event.target !== this.button) onSelect(name);
    });
  }

  // Whether the state is another one than before, or it has just gone wrong.
  update(service) {
    const { wanted, healthy } = service.replicas;
    const word = wanted === 1 ? service.state : `${service.state} ${healthy}/${wanted}`;
    const before = this.shown.state;
    const wasShaken = this.shown.alarm;
    this.set("mark", symbolOfService(service), (text) => { this.mark.textContent = text; });
    this.set("state", service.state, () => {});
    this.set("alarm", service.alarm, (alarm) => this.element.toggleAttribute("data-alarm", alarm));
    this.set("tone", toneOfService(service), (tone) => { this.element.dataset.tone = tone; });
    this.set("word", word, (text) => { this.word.textContent = text; });
    this.set("why", clean(service.note), (text) => {
      this.why.textContent = text;
      this.why.title = text;
    });
    for (const [key, , render] of COLUMNS) {
      this.set(key, render(service), (text) => { this.cells[key].textContent = text; });
    }
    this.set("unit", service.requests_unit ?? "", (unit) => { this.cells.rate.title = unit; });
    this.haystack = `${service.name} ${service.state} ${service.type} ${service.runtime}`.toLowerCase();
    return before !== undefined && (before !== service.state || (service.alarm && !wasShaken));
  }

  set(key, value, write) {
    if (this.shown[key] !== value) {
      this.shown[key] = value;
      write(value);
    }
  }
}

export class ServiceTable {
  #rows = new Map();
  #body = document.getElementById("rows");
  #filter = document.getElementById("filter");
  #count = document.getElementById("count");
  #nothing = document.getElementById("nothing");
  #view = document.getElementById("services-view");
  // Is kept in view until somebody scrolls.
  #revealed = "";
  #visible = new Set();
  #selected = "";
  #onSelect;
  #onVisible;
  #observer;

  constructor({ onSelect, onVisible }) {
    this.#onSelect = onSelect;
    this.#onVisible = onVisible;
    this.#observer = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: "200px" });
    this.#filter.addEventListener("input", () => this.applyFilter());
    this.#body.addEventListener("keydown", (event) => this.#move(event));
    for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      this.#view.addEventListener(kind, () => { this.#revealed = ""; }, { passive: true });
    }
    new ResizeObserver(() => this.#reveal()).observe(this.#view);
  }

  // Brings a service into view that went wrong, unless somebody is at work in the table; the page itself stays as it is.
  reveal(name) {
    if (this.#view.contains(document.activeElement)) return;
    this.#revealed = name;
    this.#reveal();
  }

  #reveal() {
    const row = this.#rows.get(this.#revealed)?.element;
    if (row === undefined || row.hidden) return;
    const head = this.#view.querySelector("thead").offsetHeight;
    const top = row.offsetTop - head;
    const bottom = row.offsetTop + row.offsetHeight - this.#view.clientHeight;
    if (this.#view.scrollTop > top) this.#view.scrollTop = top;
    else if (this.#view.scrollTop < bottom) this.#view.scrollTop = bottom;
  }

  arrange(names) {
    for (const [name, row] of this.#rows) {
      if (!names.includes(name)) {
        this.#observer.unobserve(row.element);
        this.#visible.delete(row);
        row.element.remove();
        this.#rows.delete(name);
      }
    }
    let before = null;
    for (const name of names) {
      if (!this.#rows.has(name)) {
        const row = new Row(name, this.#onSelect);
        row.element.dataset.name = name;
        this.#rows.set(name, row);
        this.#observer.observe(row.element);
      }
      const { element: placed } = this.#rows.get(name);
      const next = before === null ? this.#body.firstChild : before.nextSibling;
      if (next !== placed) this.#body.insertBefore(placed, next);
      before = placed;
    }
    this.#markTabStop();
  }

  // The services whose state has changed.
  update(services) {
    const changed = services.filter((service) => this.#rows.get(service.name)?.update(service));
    this.applyFilter();
    return changed;
  }

  select(name) {
    this.#selected = name;
    for (const [each, row] of this.#rows) {
      const isSelected = each === name;
      row.set("selected", isSelected, () => {
        row.element.classList.toggle("selected", isSelected);
        row.button.setAttribute("aria-pressed", String(isSelected));
      });
    }
    this.#markTabStop();
  }

  drawSparklines(histories, now, span) {
    for (const row of this.#visible) {
      if (!row.element.hidden) drawSparkline(row.spark, histories.get(row.name), now, span);
    }
  }

  applyFilter() {
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of this.#rows.values()) {
      const isHidden = !words.every((word) => row.haystack?.includes(word));
      if (row.element.hidden !== isHidden) row.element.hidden = isHidden;
      if (!isHidden) shown += 1;
    }
    const all = this.#rows.size;
    const text = shown === all ? countOf(all, "service") : `${shown} of ${all}`;
    if (this.#count.textContent !== text) this.#count.textContent = text;
    this.#nothing.hidden = shown > 0;
    this.#markTabStop();
  }

  focusFilter() {
    this.#filter.focus();
    this.#filter.select();
  }

  // Whether there was a filter to take away.
  clearFilter() {
    const had = this.#filter.value !== "";
    this.#filter.value = "";
    this.applyFilter();
    return had;
  }

  focusRow(name) {
    const row = this.#rows.get(name);
    if (row.element.hidden) this.clearFilter();
    this.#markTabStop(name);
    row.button.focus();
    row.element.scrollIntoView({ block: "nearest" });
  }

  focusRows() {
    this.#body.querySelector("tr:not([hidden]) button[tabindex='0']")?.focus();
  }

  // One stop for the tab key in the whole table; arrow keys go on from there.
  #markTabStop(wanted = document.activeElement?.closest?.("tr")?.dataset.name ?? this.#selected) {
    const candidates = [...this.#rows.values()].filter((row) => !row.element.hidden);
    const stop = candidates.find((row) => row.name === wanted) ?? candidates[0];
    for (const row of this.#rows.values()) {
      row.set("stop", row === stop, (isStop) => { row.button.tabIndex = isStop ? 0 : -1; });
    }
  }

  #move(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };
    const step = steps[event.key];
    if (step === undefined) return;
    const rows = [...this.#rows.values()].filter((row) => !row.element.hidden);
    const at = rows.findIndex((row) => row.element.contains(event.target));
    if (at < 0) return;
    event.preventDefault();
    const row = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
    this.#markTabStop(row.name);
    row.button.focus();
    row.element.scrollIntoView({ block: "nearest" });
  }

  #see(entries) {
    const names = [];
    for (const entry of entries) {
      const row = this.#rows.get(entry.target.dataset.name);
      if (row === undefined) continue;
      if (entry.isIntersecting) {
        this.#visible.add(row);
        names.push(row.name);
      } else {
        this.#visible.delete(row);
      }
    }
    if (names.length) this.#onVisible(names);
  }
}
