// Numbers with their units, and what states look like: the same as in the terminal (present/units.py, present/wording.py).

import { ENGINES, SHAKEN, SYMBOLS, TONES, UNKNOWN } from "./words.js";

export { ENGINES, SYMBOLS, TONES, UNKNOWN };

export const symbolOf = (state) => SYMBOLS[state] ?? "?";
// Another sign while it is news how it went wrong: what is red by colour alone is green to some.
export const symbolOfService = (service) =>
  service.alarm && TONES[service.state] === "good" ? SHAKEN : symbolOf(service.state);
export const toneOf = (state) => TONES[state] ?? "muted";
// One that went wrong just now is red, also when it is up again.
export const toneOfService = (service) => (service.alarm ? "bad" : toneOf(service.state));

const isKnown = (value) => value !== null && value !== undefined;

export function renderDuration(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  const span = Math.max(0, seconds);
  if (Math.round(span * 10) / 10 < 10) return `${span.toFixed(1)} s`;
  const whole = Math.round(span);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return twoParts(whole, 60, "m", 1, "s");
  if (whole < 86400) return twoParts(whole, 3600, "h", 60, "m");
  return twoParts(whole, 86400, "d", 3600, "h");
}

function twoParts(seconds, large, largeUnit, small, smallUnit) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeUnit}${rest ? ` ${rest} ${smallUnit}` : ""}`;
}

export function renderBytes(count) {
  if (!isKnown(count)) return UNKNOWN;
  let amount = count;
  for (const unit of ["B", "kB", "MB"]) {
    if (Math.round(amount) < 1000) return `${Math.round(amount)} ${unit}`;
    amount /= 1000;
  }
  return `${Math.round(amount * 10) / 10 < 10 ? amount.toFixed(1) : Math.round(amount)} GB`;
}

export const renderPercent = (value) => (isKnown(value) ? `${Math.round(value)} %` : UNKNOWN);

export function renderRate(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value && Math.round(value * 10) / 10 < 10) return Math.max(value, 0.1).toFixed(1);
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

export function renderLatency(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  const milliseconds = 1000 * Math.max(0, seconds);
  if (milliseconds > 0 && milliseconds < 0.01) return "0.01 ms";
  if (Math.round(milliseconds * 100) / 100 < 0.1) return `${milliseconds.toFixed(2)} ms`;
  if (Math.round(milliseconds * 10) / 10 < 10) return `${milliseconds.toFixed(1)} ms`;
  if (Math.round(milliseconds) < 1000) return `${Math.round(milliseconds)} ms`;
  return renderDuration(milliseconds / 1000);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const renderClock = (seconds) => clock.format(new Date(seconds * 1000));

export const countOf = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// Text is never markup: everything that a service or a person wrote goes through here.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
