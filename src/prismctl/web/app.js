// Puts the page together: what the daemon tells goes into one state, and once a frame what has changed is drawn.

import * as actions from "./actions.js";
import { offerServices } from "./adding.js";
import { clean } from "./clean.js";
import { EventList } from "./events.js";
import { Failures } from "./failure.js";
import { ENGINES, UNKNOWN, element, renderBytes, renderClock, renderDuration, symbolOf, toneOf } from "./format.js";
import { Graph } from "./graph.js";
import { Keys } from "./keys.js";
import { LogView } from "./logs.js";
import { Charts, History, SECONDS_OF_HISTORY, spanOf } from "./metrics.js";
import { ServiceTable } from "./services.js";
import { Stream } from "./stream.js";

// Of each instance; somebody who looks at one service may look for something.
const OLD_LINES = 200;
const OLD_LINES_OF_ONE = 2000;
const HIDDEN_SECONDS = 15;
const HISTORY_AT_ONCE = 40;
const TABS = ["logs", "metrics", "graph", "events"];

const at = (id) => document.getElementById(id);

const state = {
  stack: null,
  services: new Map(),
  names: [],
  selected: "",
  // Whose card was asked for, though it is up again.
  cardOf: "",
  tab: "logs",
  // When the daemon said so, by its clock, and by ours.
  told: 0,
  heard: 0,
  connection: "connecting",
  words: "",
  histories: new Map(),
};

const dirty = new Set();
let isScheduled = false;

function redraw(...parts) {
  for (const part of parts) dirty.add(part);
  if (!isScheduled) {
    isScheduled = true;
    requestAnimationFrame(draw);
  }
}

// What time it is for the daemon.
const now = () => state.told + (performance.now() - state.heard) / 1000;

const span = () => spanOf(state.stack?.started_at ? now() - Date.parse(state.stack.started_at) / 1000 : null);

const table = new ServiceTable({ onSelect: select, onVisible: wantHistory });
const logs = new LogView({ onService: (name) => followLogs(name), onRedraw: () => redraw("logs") });
const events = new EventList();
const charts = new Charts();
const graph = new Graph({ onSelect: select });
const failures = new Failures({ onAction: (what, name) => (what === "restart" ? actions.restart([name]) : showLogs(name)) });
const stream = new Stream({ onMessage: take, onState: connect });

function take(kind, data) {
  if (kind === "status") takeStatus(data);
  else if (kind === "logs") logs.take(data);
  else if (kind === "events") events.take(data);
  else if (kind === "moved") location.replace(new URL(data.url).origin === location.origin ? location.href : data.url);
  else if (kind === "end") leave();
}

function takeStatus({ at: told, stack, services, names }) {
  state.told = told;
  state.heard = performance.now();
  state.stack = stack;
  const fallen = services.filter((service) => service.to_blame && !state.services.get(service.name)?.to_blame);
  for (const service of services) {
    state.services.set(service.name, service);
    historyOf(service.name).add(told, service);
  }
  if (names !== undefined) {
    state.names = names;
    for (const name of state.services.keys()) {
      if (!names.includes(name)) {
        state.services.delete(name);
        state.histories.delete(name);
      }
    }
    table.arrange(names);
    logs.arrange(names);
    if (state.selected && !names.includes(state.selected)) select("");
  }
  announce(table.update(services));
  if (fallen.length) table.reveal(fallen[0].name);
  redraw("header", "selection", "charts", "graph", "failures", "sparklines");
}

function announce(changed) {
  if (!changed.length) return;
  const words = changed.slice(0, 5).map((each) => `${each.name} is ${each.state}${each.note ? `: ${clean(each.note)}` : ""}`);
  if (changed.length > words.length) words.push(`and ${changed.length - words.length} more changed`);
  at("announcer").textContent = words.join(". ");
}

function connect(connection, words) {
  const wasLive = state.connection === "live";
  state.connection = connection;
  state.words = words;
  if (connection === "live" && !wasLive) state.heard = performance.now();
  redraw("header", "stale", "selection");
}

// The stack is gone, and this page's daemon with it.
function leave() {
  stream.close();
  state.connection = "ended";
  if (state.stack !== null) state.stack = { ...state.stack, state: "stopped" };
  redraw("header", "stale", "selection");
}

function historyOf(name) {
  if (!state.histories.has(name)) state.histories.set(name, new History());
  return state.histories.get(name);
}

const wanted = new Set();
let historyTimer = 0;

// Only for rows that somebody sees, some at a time.
function wantHistory(names) {
  for (const name of names) if (!historyOf(name).isSeeded) wanted.add(name);
  if (wanted.size && !historyTimer) historyTimer = setTimeout(askForHistory, 150);
}

async function askForHistory() {
  const names = [...wanted].slice(0, HISTORY_AT_ONCE);
  for (const name of names) {
    wanted.delete(name);
    historyOf(name).isSeeded = true;
  }
  const query = new URLSearchParams([["seconds", SECONDS_OF_HISTORY], ...names.map((name) => ["service", name])]);
  try {
    const answer = await fetch(`v1/metrics/history?${query}`);
    if (answer.ok) {
      const { services } = await answer.json();
      for (const [name, history] of Object.entries(services)) historyOf(name).seed(history);
    }
  } catch {
    // Without a past, lines begin now.
  }
  historyTimer = wanted.size ? setTimeout(askForHistory, 150) : 0;
  redraw("sparklines", "charts");
}

function select(name) {
  state.selected = name;
  table.select(name);
  if (name) wantHistory([name]);
  redraw("selection", "charts", "graph");
}

function showTab(tab) {
  state.tab = tab;
  for (const each of TABS) {
    at(`tab-${each}`).setAttribute("aria-selected", String(each === tab));
    at(`tab-${each}`).tabIndex = each === tab ? 0 : -1;
    at(`panel-${each}`).hidden = each !== tab;
  }
  redraw("logs", "charts", "graph");
}

function followLogs(service) {
  logs.choose(service);
  stream.open(query);
}

function showLogs(name) {
  if (name) select(name);
  showTab("logs");
  if (name && logs.service !== name) followLogs(name);
  logs.focus();
}

function query() {
  const wishes = new URLSearchParams();
  if (logs.service) wishes.append("service", logs.service);
  if (logs.newest) wishes.append("since", String(Date.parse(`${logs.newest.slice(0, 23)}Z`) / 1000));
  else wishes.append("tail", String(logs.service ? OLD_LINES_OF_ONE : OLD_LINES));
  wishes.append("after", String(events.lastSequence));
  return wishes;
}

function draw() {
  isScheduled = false;
  const parts = new Set(dirty);
  dirty.clear();
  const services = state.names.map((name) => state.services.get(name)).filter(Boolean);
  if (parts.has("header")) drawHeader(services);
  if (parts.has("stale")) drawStale();
  if (parts.has("selection")) drawSelection();
  if (parts.has("sparklines")) table.drawSparklines(state.histories, now(), span());
  if (parts.has("failures")) failures.draw(findCulprits(services), (service) => versionOfCard(service, services));
  if (parts.has("logs") && state.tab === "logs") logs.draw();
  if (parts.has("charts") && state.tab === "metrics") {
    charts.draw(state.services.get(state.selected), state.histories.get(state.selected), now(), span());
  }
  if (parts.has("graph") && state.tab === "graph") graph.draw(services, state.selected);
}

// Those that the daemon says are to blame, and the one asked for.
function findCulprits(services) {
  return services.filter((service) => service.to_blame || service.name === state.cardOf);
}

// Of the service and of all that need it.
function versionOfCard(service, services) {
  const dependants = services.filter((each) => each.depends_on.includes(service.name));
  return [service.state, service.note, service.restarts, ...dependants.map((each) => each.state)].join(" ");
}

// What went wrong with the selected service, also when it is up again.
function toggleCard(service) {
  const wasThere = state.cardOf === service.name;
  state.cardOf = !wasThere && service.last_error ? service.name : "";
  if (!wasThere && !service.last_error) at("announcer").textContent = `nothing went wrong with ${service.name}`;
  redraw("failures", "selection");
}

function setText(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function drawHeader(services) {
  const { stack } = state;
  if (stack === null) return;
  const isLive = state.connection === "live";
  const word = state.connection === "ended" ? "stopped" : stack.state;
  setText("stack-mark", symbolOf(word));
  setText("stack-name", stack.stack);
  setText("stack-state", word);
  document.querySelector("header").dataset.tone = toneOf(word);
  const bad = services.filter((service) => service.ill).length;
  document.title = `${symbolOf(word)} ${stack.stack} · ${bad ? `${bad} not well` : word}`;
  const up = stack.started_at && word !== "stopped" ? now() - Date.parse(stack.started_at) / 1000 : null;
  const used = renderBytes(stack.memory_bytes);
  const memory = stack.memory_limit_bytes ? `${used} of ${renderBytes(stack.memory_limit_bytes)}` : used;
  const agents = Object.entries(stack.components).map(([name, how]) => `${symbolOf(how)} ${name}`).join("  ");
  drawFacts([
    ["Engine", ENGINES[stack.engine] ?? stack.engine], ["Agents", agents], ["From", stack.origin.split("/").at(-1), stack.origin],
    ["Up", renderDuration(up)], ["Memory", memory],
  ]);
  at("open-nomad").hidden = !stack.endpoints.nomad_ui;
  at("open-consul").hidden = !stack.endpoints.consul_ui;
  for (const id of ["stop-stack", "restart-all", "add", "open-nomad", "open-consul"]) at(id).disabled = !isLive;
  at("standing").hidden = !stack.standing.text || word === "stopped";
  at("standing").dataset.tone = stack.standing.tone;
  setText("standing", stack.standing.text);
  const notes = stack.notes.join("\n");
  if (at("notes").dataset.notes !== notes) {
    at("notes").dataset.notes = notes;
    at("notes").hidden = !notes;
    at("notes").replaceChildren(...stack.notes.map((note) => element("li", {}, clean(note))));
  }
}

const facts = new Map();

function drawFacts(pairs) {
  for (const [name, text, whole] of pairs) {
    if (!facts.has(name)) {
      const value = element("dd");
      const pair = element("div", {}, element("dt", {}, name), value);
      at("facts").append(pair);
      facts.set(name, { pair, value });
    }
    const { pair, value } = facts.get(name);
    pair.hidden = !text;
    const shown = clean(text);
    if (value.textContent !== shown) {
      value.textContent = shown;
      value.title = clean(whole ?? "");
    }
  }
}

function drawStale() {
  const banner = at("stale");
  const isLive = state.connection === "live" || state.connection === "connecting";
  banner.hidden = isLive;
  document.body.classList.toggle("stale", !isLive);
  if (isLive) return;
  const option = state.stack && state.stack.stack !== "default" ? ` --stack ${state.stack.stack}` : "";
  if (["ended", "refused"].includes(state.connection)) {
    // Drawn once: who selects a command shall be able to copy it.
    if (banner.dataset.kind === state.connection) return;
    banner.dataset.kind = state.connection;
    const link = element("code", {}, `prismctl dev dashboard --web${option}`);
    if (state.connection === "refused") {
      banner.replaceChildren(
        element("strong", {}, "The link is needed again."), " The stack was started anew, or another one is served here now: ", link, " prints it",
      );
    } else {
      banner.replaceChildren(
        element("strong", {}, "This stack was stopped."), " ", element("code", {}, `prismctl dev start${option}`),
        " starts it, and prints the new link, as does ", link,
      );
    }
    return;
  }
  delete banner.dataset.kind;
  const since = state.told ? `; what is shown is as of ${renderClock(state.told)}, ${renderDuration(now() - state.told)} ago` : "";
  banner.textContent = `Not connected: ${state.words}${since}. Trying again …`;
}

function drawSelection() {
  const service = state.services.get(state.selected);
  setText("selected-name", service ? service.name : "no service is selected");
  setText("selected-why", service ? clean(service.note || service.runtime_reason || "") : "");
  at("what-went-wrong").hidden = !service?.last_error;
  at("what-went-wrong").setAttribute("aria-pressed", String(service !== undefined && state.cardOf === service.name));
  for (const id of ["restart", "scale", "remove"]) at(id).disabled = !service || state.connection !== "live";
}

function selectedService() {
  // Where the focus is on a row, that one is meant.
  const focused = document.activeElement?.closest?.("tr")?.dataset.name;
  return state.services.get(focused ?? state.selected);
}

const withService = (action) => () => {
  const service = selectedService();
  if (service && state.connection === "live") action(service);
};

function focusSearch() {
  if (state.tab === "logs" && at("details").contains(document.activeElement)) logs.focusSearch();
  else table.focusFilter();
}

function selectNextUnwell() {
  const start = state.names.indexOf(selectedService()?.name ?? "") + 1;
  const inOrder = [...state.names.slice(start), ...state.names.slice(0, start)];
  const isUnwell = ({ state: word, ill }) => ill || !["healthy", "completed", "stopped"].includes(word);
  const next = inOrder.find((name) => isUnwell(state.services.get(name)));
  if (next === undefined) return;
  select(next);
  table.focusRow(next);
}

const restartOne = withService((service) => actions.restart([service.name]));
const scaleOne = withService((service) => actions.scale(service));
const removeOne = withService((service) => actions.remove(service, [...state.services.values()]));
const showWhatWentWrong = withService(toggleCard);
const addOne = () => state.connection === "live" && offerServices();
const stopAll = () => state.stack && actions.stopStack(state.stack.stack, state.names.length);

at("restart").addEventListener("click", restartOne);
at("scale").addEventListener("click", scaleOne);
at("remove").addEventListener("click", removeOne);
at("what-went-wrong").addEventListener("click", showWhatWentWrong);
at("stop-stack").addEventListener("click", stopAll);
at("restart-all").addEventListener("click", () => actions.restart([]));
at("add").addEventListener("click", addOne);
at("open-nomad").addEventListener("click", () => actions.openInterface("nomad"));
at("open-consul").addEventListener("click", () => actions.openInterface("consul"));
at("open-help").addEventListener("click", () => keys.showHelp());
at("filter").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    table.focusRows();
  }
});

for (const [index, tab] of TABS.entries()) {
  at(`tab-${tab}`).addEventListener("click", () => showTab(tab));
  at(`tab-${tab}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = TABS[(index + step + TABS.length) % TABS.length];
    showTab(next);
    at(`tab-${next}`).focus();
  });
}

const keys = new Keys([
  ["/", "filter the services; from the log lines: search those", focusSearch],
  ["r", "restart the selected service", restartOne],
  ["s", "scale it", scaleOne],
  ["x", "take it out of the stack", removeOne],
  ["l", "its logs", () => showLogs(selectedService()?.name ?? "")],
  ["L", "the logs of all services", () => { followLogs(""); showLogs(""); }],
  ["w", "how it last went wrong, with its last lines, and what to try", showWhatWentWrong],
  ["m", "its metrics", () => { select(selectedService()?.name ?? ""); showTab("metrics"); }],
  ["d", "what needs what", () => showTab("graph")],
  ["v", "events", () => showTab("events")],
  ["f", "go to the next service that is not well", selectNextUnwell],
  ["a", "add a service", addOne],
  ["n", "Nomad's UI, logged in", () => state.stack?.endpoints.nomad_ui && actions.openInterface("nomad")],
  ["c", "Consul's UI, logged in", () => state.stack?.endpoints.consul_ui && actions.openInterface("consul")],
  ["X", "stop the stack", stopAll],
  ["↑ ↓", "move among services, log lines, nodes of the graph"],
  ["Enter", "select; in the logs: show the whole line"],
  ["Esc", "close what is open, take a filter away", () => logs.closeDetail() || table.clearFilter() || logs.clearSearch() || select("")],
  ["?", "these keys", () => keys.showHelp()],
]);

// A page that nobody sees gives its connection back: a browser has six for all pages of a server.
let hiddenTimer = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (["ended", "refused"].includes(state.connection)) return;
  if (document.hidden) {
    hiddenTimer = setTimeout(() => {
      stream.close();
      state.connection = "connecting";
    }, 1000 * HIDDEN_SECONDS);
  } else if (state.connection === "live") redraw("header", "logs", "charts", "graph", "sparklines");
  else stream.open(query);
});
window.addEventListener("online", () => stream.retryNow());

// Time passes, though nothing else changes.
setInterval(() => {
  if (document.hidden || state.stack === null) return;
  redraw("header", "stale", "charts", "sparklines");
}, 1000);

stream.open(query);
