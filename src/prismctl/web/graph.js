// Who needs whom, with how they are: drawn anew only when services come or go.

import { drawing, symbolOfService, toneOfService } from "./format.js";

const WIDTH = 168;
const HEIGHT = 40;
const GAP_X = 60;
const GAP_Y = 14;

// In which column each service stands: one to the right of all it needs.
export function layersOf(services) {
  const known = new Map(services.map((service) => [service.name, service]));
  const depth = new Map();
  const find = (name, above) => {
    if (depth.has(name)) return depth.get(name);
    if (above.has(name)) return 0;
    const needs = known.get(name).depends_on.filter((need) => known.has(need));
    const found = needs.length ? 1 + Math.max(...needs.map((need) => find(need, new Set([...above, name])))) : 0;
    depth.set(name, found);
    return found;
  };
  const layers = [];
  for (const { name } of services) (layers[find(name, new Set())] ??= []).push(name);
  return layers;
}

export class Graph {
  #view = document.getElementById("graph-view");
  #nodes = new Map();
  #edges = [];
  #shape = "";
  #onSelect;

  constructor({ onSelect }) {
    this.#onSelect = onSelect;
    this.#view.addEventListener("keydown", (event) => this.#key(event));
    this.#view.addEventListener("click", (event) => {
      const node = event.target.closest("[data-name]");
      if (node) onSelect(node.dataset.name);
    });
  }

  draw(services, selected) {
    const shape = services.map((service) => `${service.name}:${service.depends_on}`).join(";");
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#layOut(services);
    }
    const tones = new Map(services.map((service) => [service.name, toneOfService(service)]));
    for (const service of services) {
      const { node, mark, word } = this.#nodes.get(service.name);
      const kind = `node tone-${toneOfService(service)}${service.name === selected ? " selected" : ""}`;
      if (node.getAttribute("class") === kind && word.textContent === service.state) continue;
      node.setAttribute("class", kind);
      mark.textContent = symbolOfService(service);
      word.textContent = service.state;
      const needs = service.depends_on.length ? `needs ${service.depends_on.join(", ")}` : "needs nothing";
      node.setAttribute("aria-label", `${service.name}, ${service.state}, ${needs}`);
      node.setAttribute("aria-pressed", String(service.name === selected));
    }
    for (const { path, from, to } of this.#edges) {
      const touches = selected && (from === selected || to === selected);
      path.setAttribute("class", `edge tone-${tones.get(from)}${touches ? " selected" : ""}`);
    }
  }

  #layOut(services) {
    const layers = layersOf(services);
    const places = new Map();
    // Close to the middle of what each needs: fewer lines cross.
    for (const [column, names] of layers.entries()) {
      const middle = (name) => {
        const needs = services.find((service) => service.name === name).depends_on.filter((need) => places.has(need));
        return needs.length ? needs.reduce((sum, need) => sum + places.get(need).y, 0) / needs.length : 0;
      };
      const ordered = column ? [...names].sort((one, other) => middle(one) - middle(other)) : names;
      ordered.forEach((name, row) => places.set(name, { x: 10 + column * (WIDTH + GAP_X), y: 10 + row * (HEIGHT + GAP_Y) }));
    }
    const width = 20 + layers.length * (WIDTH + GAP_X) - GAP_X;
    const height = 20 + Math.max(1, ...layers.map((names) => names.length)) * (HEIGHT + GAP_Y) - GAP_Y;
    const svg = drawing("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Services and what they need" });
    this.#edges = [];
    this.#nodes.clear();
    for (const service of services) {
      for (const need of service.depends_on) {
        if (!places.has(need)) continue;
        const from = places.get(need);
        const to = places.get(service.name);
        const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
        const bend = Math.max(20, (x2 - x1) / 2);
        const path = drawing("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` });
        this.#edges.push({ path, from: need, to: service.name });
        svg.append(path);
      }
    }
    for (const [index, service] of services.entries()) {
      const { x, y } = places.get(service.name);
      const mark = drawing("text", { x: 12, y: 25, class: "mark" });
      const name = drawing("text", { x: 30, y: 17, class: "name" }, clip(service.name, 20));
      const word = drawing("text", { x: 30, y: 32, class: "word" });
      const node = drawing(
        "g", { transform: `translate(${x} ${y})`, role: "button", tabindex: index ? -1 : 0, "data-name": service.name },
        drawing("title", {}, service.name), drawing("rect", { width: WIDTH, height: HEIGHT, rx: 6 }), mark, name, word,
      );
      this.#nodes.set(service.name, { node, mark, word });
      svg.append(node);
    }
    this.#view.replaceChildren(svg);
  }

  #key(event) {
    const name = event.target.dataset?.name;
    if (name === undefined) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#onSelect(name);
      return;
    }
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const names = [...this.#nodes.keys()];
    const next = names[(names.indexOf(name) + step + names.length) % names.length];
    for (const [each, { node }] of this.#nodes) node.setAttribute("tabindex", each === next ? 0 : -1);
    this.#nodes.get(next).node.focus();
  }
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
