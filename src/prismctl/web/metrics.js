// What was measured in the last ten minutes: kept here in bounded memory, drawn as lines with gaps where nothing is known.

import { UNKNOWN, drawing, element, renderBytes, renderDuration, renderLatency, renderPercent, renderRate } from "./format.js";

const SPAN_SECONDS = 600;
const LEAST_SECONDS = 60;
const MAX_POINTS = 600;
const FIELDS = ["requests_per_second", "errors_per_second", "latency_p95_seconds", "memory_bytes", "cpu_percent"];

const CHARTS = [
  { field: "requests_per_second", title: "Requests", render: renderRate, least: 1 },
  { field: "errors_per_second", title: "Errors a second", render: renderRate, least: 1 },
  { field: "latency_p95_seconds", title: "Latency p95", render: renderLatency },
  { field: "memory_bytes", title: "Memory", render: renderBytes },
  { field: "cpu_percent", title: "CPU", render: renderPercent, least: 10 },
];

export class History {
  at = [];
  values = Object.fromEntries(FIELDS.map((field) => [field, []]));
  isSeeded = false;

  // What the service is now; more often than once a second nothing is kept.
  add(at, service) {
    const last = this.at.length - 1;
    const index = last >= 0 && at - this.at[last] < 1 ? last : last + 1;
    if (index > last) this.at[index] = at;
    for (const field of FIELDS) this.values[field][index] = service[field] ?? null;
    if (this.at.length > MAX_POINTS) {
      this.at.shift();
      for (const field of FIELDS) this.values[field].shift();
    }
  }

  // What the daemon remembers from before this page was opened.
  seed(history) {
    this.isSeeded = true;
    const first = this.at[0] ?? Infinity;
    const count = history.at.filter((at) => at < first).length;
    this.at = [...history.at.slice(0, count), ...this.at].slice(-MAX_POINTS);
    for (const field of FIELDS) {
      const known = history[field] ?? Array(history.at.length).fill(null);
      this.values[field] = [...known.slice(0, count), ...this.values[field]].slice(-MAX_POINTS);
    }
  }

  // Unbroken pieces of a line; what did not change since was not told again, and holds until now.
  pieces(field, now, span) {
    const values = this.values[field];
    const pieces = [];
    let piece = [];
    for (let index = 0; index < this.at.length; index += 1) {
      if (this.at[index] < now - span) continue;
      if (values[index] === null) {
        if (piece.length) pieces.push(piece);
        piece = [];
      } else {
        piece.push([this.at[index], values[index]]);
      }
    }
    if (piece.length) pieces.push([...piece, [now, piece.at(-1)[1]]]);
    return pieces;
  }
}

// How much time a line shows: ten minutes, or what there is of a young stack.
export const spanOf = (age) => Math.min(SPAN_SECONDS, Math.max(LEAST_SECONDS, age ?? SPAN_SECONDS));

function pathOf(pieces, now, span, width, height, most) {
  const x = (at) => (width * (1 - (now - at) / span)).toFixed(1);
  const y = (value) => (height - 1 - (height - 2) * (most ? value / most : 0)).toFixed(1);
  return pieces.map((piece) => `M${piece.map(([at, value]) => `${x(at)} ${y(value)}`).join("L")}`).join("");
}

const mostOf = (pieces) => Math.max(0, ...pieces.flatMap((piece) => piece.map(([, value]) => value)));

const SPARK_WIDTH = 110;
const SPARK_HEIGHT = 18;

// Requests where there are any to be counted, else what it works.
export function drawSparkline(cell, history, now, span) {
  if (history === undefined) return;
  const field = history.values.requests_per_second.some((value) => value !== null) ? "requests_per_second" : "cpu_percent";
  const pieces = history.pieces(field, now, span);
  let path = cell.querySelector("path");
  if (path === null) {
    path = drawing("path", { class: "line" });
    cell.append(drawing("svg", {
      viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, width: SPARK_WIDTH, height: SPARK_HEIGHT, "aria-hidden": "true",
    }, path));
  }
  const most = Math.max(mostOf(pieces), field === "cpu_percent" ? 100 : 1);
  path.setAttribute("d", pathOf(pieces, now, span, SPARK_WIDTH, SPARK_HEIGHT, most));
  path.parentNode.classList.toggle("is-cpu", field === "cpu_percent");
}

const CHART_WIDTH = 420;
const CHART_HEIGHT = 80;

export class Charts {
  #title = document.getElementById("metrics-title");
  #charts = new Map();

  constructor() {
    const holder = document.getElementById("charts");
    for (const { field, title } of CHARTS) {
      const value = element("strong");
      const most = element("span", { class: "muted" });
      const line = drawing("path", { class: "line" });
      const area = drawing("path", { class: "area" });
      const name = element("span", {}, title);
      holder.append(element(
        "figure", {},
        element("figcaption", {}, name, " ", value, " ", most),
        drawing("svg", {
          viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
        }, area, line),
        element("div", { class: "axis muted", "aria-hidden": "true" }, element("span"), element("span", {}, "now")),
      ));
      this.#charts.set(field, { value, most, line, area, name });
    }
  }

  draw(service, history, now, span) {
    const shown = renderDuration(span);
    this.#title.textContent = service ? `${service.name}, the last ${shown}` : "Select a service to see its metrics";
    for (const label of document.querySelectorAll("#charts .axis span:first-child")) label.textContent = `${shown} ago`;
    for (const { field, title, render, least = 0 } of CHARTS) {
      const { value, most, line, area, name } = this.#charts.get(field);
      const pieces = history?.pieces(field, now, span) ?? [];
      const highest = mostOf(pieces);
      const unit = field === "requests_per_second" && service?.requests_unit ? ` (${service.requests_unit})` : "";
      name.textContent = title + unit;
      value.textContent = service ? render(service[field]) : UNKNOWN;
      most.textContent = pieces.length ? `at most ${render(highest)}` : "not measured";
      // A hundredth more than nothing is no mountain.
      const top = Math.max(highest, least);
      line.setAttribute("d", pathOf(pieces, now, span, CHART_WIDTH, CHART_HEIGHT, top));
      area.setAttribute("d", pieces.map((piece) => areaOf(piece, now, span, top)).join(""));
    }
  }
}

function areaOf(piece, now, span, most) {
  const x = (at) => (CHART_WIDTH * (1 - (now - at) / span)).toFixed(1);
  const upper = pathOf([piece], now, span, CHART_WIDTH, CHART_HEIGHT, most);
  return `${upper}L${x(piece.at(-1)[0])} ${CHART_HEIGHT}L${x(piece[0][0])} ${CHART_HEIGHT}Z`;
}

export const SECONDS_OF_HISTORY = SPAN_SECONDS;
