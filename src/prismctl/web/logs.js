// Log lines: the newest few thousand are kept, and of these only what fits on the screen is drawn.

import { clean } from "./clean.js";
import { countOf, element } from "./format.js";
import { LEVELS, levelOf } from "./levels.js";

export const MAX_LINES = 5000;
// Of all lines together: a browser keeps two bytes for each character of a line that is not plain.
export const MAX_CHARACTERS = 4_000_000;
// Dropped in lumps: an array that loses its head line by line is copied each time.
const LUMP = 1000;
const LINE_HEIGHT = 18;
const SHOWN_CHARACTERS = 2000;

const COLOURS = 8;

function colourOf(service) {
  let hash = 0;
  for (const letter of service) hash = (hash * 31 + letter.codePointAt(0)) % 9973;
  return hash % COLOURS;
}

function makeMatcher(words) {
  const expression = /^\/(.+)\/$/.exec(words);
  if (expression) {
    try {
      const pattern = new RegExp(expression[1], "i");
      return (text) => pattern.test(text);
    } catch {
      return null;
    }
  }
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return () => true;
  return (text) => {
    const lower = text.toLowerCase();
    return wanted.every((word) => lower.includes(word));
  };
}

export class LogView {
  lines = [];
  #characters = 0;
  #shown = [];
  #next = 0;
  #levels = new Map();
  #matches = () => true;
  #least = null;
  #view = document.getElementById("log-view");
  #space = document.getElementById("log-space");
  #holder = document.getElementById("log-lines");
  #follow = document.getElementById("log-follow");
  #search = document.getElementById("log-search");
  #level = document.getElementById("log-level");
  #service = document.getElementById("log-service");
  #count = document.getElementById("log-count");
  #detail = document.getElementById("log-detail");
  #detailText = document.getElementById("log-detail-text");
  #detailTitle = document.getElementById("log-detail-title");
  #pool = [];
  #current = -1;
  #ownTop = 0;
  #ownHeight = 0;
  #seen = new Map();
  #onService;
  #onRedraw;
  newest = "";

  // onService(name): other lines are wanted; onRedraw(): something is to be drawn at the next frame.
  constructor({ onService, onRedraw }) {
    this.#onService = onService;
    this.#onRedraw = onRedraw;
    this.#view.addEventListener("scroll", () => this.#scrolled());
    this.#view.addEventListener("keydown", (event) => this.#key(event));
    this.#holder.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) this.#open(this.#shown.findIndex((line) => line.id === Number(row.dataset.id)));
    });
    this.#search.addEventListener("input", () => this.#filter());
    this.#level.addEventListener("change", () => this.#filter());
    this.#service.addEventListener("change", () => this.#onService(this.#service.value));
    this.#follow.addEventListener("change", () => onRedraw());
    document.getElementById("log-close").addEventListener("click", () => this.closeDetail());
    document.getElementById("log-copy").addEventListener("click", () => this.#copy());
    new ResizeObserver(() => onRedraw()).observe(this.#view);
  }

  get service() {
    return this.#service.value;
  }

  arrange(names) {
    const chosen = this.#service.value;
    const first = this.#service.firstElementChild;
    this.#service.replaceChildren(first, ...names.map((name) => element("option", { value: name }, name)));
    this.#service.value = names.includes(chosen) ? chosen : "";
  }

  // Only lines of this service from now on; what other ones printed is forgotten.
  choose(service) {
    this.#service.value = service;
    this.clear();
  }

  clear() {
    this.lines = [];
    this.#characters = 0;
    this.#shown = [];
    this.#levels.clear();
    this.#seen.clear();
    this.newest = "";
    this.closeDetail();
    this.#onRedraw();
  }

  // A bundle as the daemon sends it; lines that were there before the connection was cut are known by their number.
  take({ lines, skipped, has_gap: hasGap }) {
    const fresh = [];
    if (skipped || hasGap) fresh.push({ id: this.#next++, skipped: skipped || 1, hasGap });
    for (const [time, service, replica, stream, text, sequence] of lines) {
      const source = `${service}#${replica}`;
      const known = this.#seen.get(source);
      if (sequence !== undefined && known !== undefined && sequence <= known) continue;
      this.#seen.set(source, sequence);
      if (time > this.newest) this.newest = time;
      fresh.push({ id: this.#next++, time, service, replica, stream, text });
    }
    this.lines.push(...fresh);
    for (const line of fresh) this.#characters += sizeOf(line);
    for (const line of fresh) if (this.#admits(line)) this.#shown.push(line);
    this.#dropOldest();
    this.#onRedraw();
  }

  // Of too many lines, or of too long ones, the oldest go.
  #dropOldest() {
    const isTooMany = this.lines.length > MAX_LINES + LUMP;
    if (!isTooMany && this.#characters <= MAX_CHARACTERS) return;
    let dropped = isTooMany ? this.lines.length - MAX_LINES : 0;
    for (const line of this.lines.slice(0, dropped)) this.#characters -= sizeOf(line);
    // Somewhat more than has to: what was dropped for one long line is not dropped again for the next.
    while (this.#characters > MAX_CHARACTERS * 0.9) this.#characters -= sizeOf(this.lines[dropped++]);
    this.lines.splice(0, dropped);
    const first = this.lines[0]?.id ?? Infinity;
    const gone = this.#shown.findIndex((line) => line.id >= first);
    const count = gone < 0 ? this.#shown.length : gone;
    this.#shown.splice(0, count);
    this.#current = Math.max(-1, this.#current - count);
    // Who reads an older line keeps it before their eyes.
    if (!this.#follow.checked) this.#scrollTo(this.#view.scrollTop - count * LINE_HEIGHT);
  }

  draw() {
    const height = this.#shown.length * LINE_HEIGHT;
    if (this.#space.dataset.height !== String(height)) {
      this.#space.dataset.height = String(height);
      this.#space.style.height = `${height}px`;
    }
    this.#ownHeight = this.#view.clientHeight;
    if (this.#follow.checked) this.#scrollTo(height);
    const first = Math.max(0, Math.floor(this.#view.scrollTop / LINE_HEIGHT) - 2);
    const most = Math.ceil(this.#view.clientHeight / LINE_HEIGHT) + 4;
    const visible = this.#shown.slice(first, first + most);
    this.#holder.style.transform = `translateY(${first * LINE_HEIGHT}px)`;
    while (this.#pool.length < visible.length) this.#pool.push(this.#makeRow());
    for (const [index, row] of this.#pool.entries()) this.#drawRow(row, visible[index], first + index);
    const count = this.#shown.length === this.lines.length
      ? countOf(this.lines.length, "line")
      : `${this.#shown.length} of ${countOf(this.lines.length, "line")}`;
    if (this.#count.textContent !== count) this.#count.textContent = count;
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  focus() {
    this.#view.focus();
  }

  // Whether there was anything to close or to clear.
  closeDetail() {
    const was = !this.#detail.hidden;
    this.#detail.hidden = true;
    return was;
  }

  clearSearch() {
    const had = this.#search.value !== "" || this.#level.value !== "";
    this.#search.value = "";
    this.#level.value = "";
    if (had) this.#filter();
    return had;
  }

  #makeRow() {
    const clock = element("span", { class: "clock" });
    const service = element("span", { class: "of" });
    const text = element("span", { class: "text" });
    const row = element("div", { role: "listitem" }, clock, " ", service, " ", text);
    this.#holder.append(row);
    return { row, clock, service, text, id: -1 };
  }

  #drawRow(slot, line, index) {
    slot.row.hidden = line === undefined;
    if (line === undefined) return;
    const isCurrent = index === this.#current;
    slot.row.classList.toggle("current", isCurrent);
    if (slot.id === line.id) return;
    slot.id = line.id;
    slot.row.dataset.id = line.id;
    if (line.skipped) {
      slot.row.className = "skipped";
      slot.clock.textContent = "";
      slot.service.textContent = "";
      slot.text.textContent = `${line.hasGap ? "more than " : ""}${countOf(line.skipped, "line")} skipped: they came faster than they can be shown`;
      return;
    }
    const level = this.#levelOf(line);
    slot.row.className = `${level === null ? "" : `level-${LEVELS[level]}`} ${line.stream}${isCurrent ? " current" : ""}`;
    slot.clock.textContent = localClock(line.time);
    slot.service.textContent = line.replica ? `${line.service}#${line.replica}` : line.service;
    slot.service.className = `of colour-${colourOf(line.service)}`;
    slot.text.textContent = clean(line.text.slice(0, SHOWN_CHARACTERS));
  }

  #levelOf(line) {
    if (line.level === undefined) line.level = levelOf(line.text);
    return line.level;
  }

  #admits(line) {
    // How much is missing is told whatever somebody looks for.
    if (line.skipped || line.stream === "skipped") return true;
    if (this.#least !== null && !this.#isBadEnough(line)) return false;
    return this.#matches(line.text) || this.#matches(line.service);
  }

  // A line without a level goes with the one before it: the lines of a traceback stay with their error.
  #isBadEnough(line) {
    const source = `${line.service}#${line.replica}`;
    const level = this.#levelOf(line);
    if (level !== null) this.#levels.set(source, level >= this.#least);
    return this.#levels.get(source) ?? this.#least <= LEVELS.indexOf("info");
  }

  #filter() {
    const matches = makeMatcher(this.#search.value.trim());
    this.#search.setAttribute("aria-invalid", String(matches === null));
    if (matches === null) return;
    this.#matches = matches;
    this.#least = this.#level.value ? LEVELS.indexOf(this.#level.value) : null;
    this.#levels.clear();
    this.#shown = this.lines.filter((line) => this.#admits(line));
    this.#current = -1;
    this.#onRedraw();
  }

  #scrollTo(top) {
    this.#view.scrollTop = top;
    this.#ownTop = this.#view.scrollTop;
  }

  #scrolled() {
    // What was scrolled here, nobody did by hand; by now more lines may have come, or the window has another size.
    const isOwn = Math.abs(this.#view.scrollTop - this.#ownTop) < 2 || this.#view.clientHeight !== this.#ownHeight;
    if (isOwn) return;
    this.#ownTop = -1;
    const bottom = this.#view.scrollTop + this.#view.clientHeight;
    const isAtEnd = bottom >= this.#shown.length * LINE_HEIGHT - LINE_HEIGHT;
    // Who scrolls up wants to read; who comes back to the end wants to follow.
    if (this.#follow.checked !== isAtEnd) this.#follow.checked = isAtEnd;
    this.#onRedraw();
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.#view.clientHeight / LINE_HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const from = this.#current < 0 ? this.#shown.length - (step > 0 ? 1 : 0) : this.#current;
      this.#current = Math.max(0, Math.min(this.#shown.length - 1, from + step));
      this.#follow.checked = event.key === "End";
      this.#reveal();
    } else if (event.key === "Enter" && this.#current >= 0) {
      event.preventDefault();
      this.#open(this.#current);
      this.#detailText.focus();
    }
  }

  #reveal() {
    const top = this.#current * LINE_HEIGHT;
    const bottom = top + LINE_HEIGHT - this.#view.clientHeight;
    if (top < this.#view.scrollTop) this.#scrollTo(top);
    else if (bottom > this.#view.scrollTop) this.#scrollTo(bottom);
    this.#onRedraw();
  }

  #open(index) {
    const line = this.#shown[index];
    if (line === undefined || line.skipped) return;
    this.#current = index;
    this.#follow.checked = false;
    this.#detailTitle.textContent = `${line.service}${line.replica ? `#${line.replica}` : ""}, ${line.stream}, ${line.time}`;
    this.#detailText.textContent = prettify(line.text);
    this.#detail.hidden = false;
    this.#reveal();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#detailText.textContent);
    } catch {
      // Without the right to the clipboard, it is selected to be copied by hand.
      getSelection().selectAllChildren(this.#detailText);
    }
  }
}

// Characters that a line takes, with what it is known by.
const sizeOf = ({ text = "" }) => text.length + 100;

// What JSON had written in numbers is text again: it is looked at once more.
function prettify(text) {
  const plain = clean(text);
  if (!/^\s*[[{]/.test(plain)) return plain;
  try {
    return JSON.stringify(JSON.parse(plain), null, 2).split("\n").map(clean).join("\n");
  } catch {
    return plain;
  }
}

let lastSecond = "";
let lastClock = "";

// Lines come in order: most are of the second of the one before.
function localClock(time) {
  const second = time.slice(0, 19);
  if (second !== lastSecond) {
    lastSecond = second;
    lastClock = new Date(`${second}Z`).toTimeString().slice(0, 8);
  }
  return `${lastClock}${time.slice(19, 23)}`;
}
