// What changes the stack: asked about where it takes something away, told while it goes on, and how it ended.

import { clean } from "./clean.js";
import { describeEvent } from "./events.js";
import { countOf, element } from "./format.js";
import { describeRefusal } from "./stream.js";

const dialog = document.getElementById("question");
const field = document.getElementById("question-field");
const number = document.getElementById("question-number");
const yes = document.getElementById("question-yes");
const progress = document.getElementById("progress");

// What somebody answered: false, or true, or the number where one was asked for.
function ask({ title, text, confirm, isDangerous = false, value = null }) {
  document.getElementById("question-title").textContent = title;
  document.getElementById("question-text").textContent = clean(text);
  yes.textContent = confirm;
  yes.className = isDangerous ? "danger" : "";
  field.hidden = value === null;
  if (value !== null) number.value = value;
  dialog.returnValue = "no";
  dialog.showModal();
  // What takes something away is not what Enter does by itself.
  if (value !== null) number.select();
  else if (isDangerous) document.getElementById("question-no").focus();
  else yes.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const isYes = dialog.returnValue === "yes";
      resolve(isYes && value !== null ? number.valueAsNumber : isYes);
    }, { once: true });
  });
}

// In the field, Enter is a yes.
number.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    event.preventDefault();
    dialog.close("yes");
  }
});

let toastTimer = 0;

function tell(words, tone = "busy") {
  clearTimeout(toastTimer);
  progress.replaceChildren(...(words ? [element("span", {}, clean(words))] : []));
  progress.dataset.tone = tone;
  if (tone !== "busy") toastTimer = setTimeout(() => progress.replaceChildren(), tone === "bad" ? 15000 : 5000);
}

export function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Prismctl": "1" },
    body: JSON.stringify(body),
  });
}

// Hands each document of an answer on as it comes: one JSON object a line.
async function readLines(answer, take) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) if (line) take(JSON.parse(line));
    if (done) return;
  }
}

// Asks for an operation and tells what of it happens; answers {result, error, plan, notes} as they were said.
async function follow(path, body, doing) {
  tell(`${doing} …`);
  const said = { notes: [] };
  try {
    const answer = await post(path, body);
    if (!answer.ok) return { ...said, error: { message: await describeRefusal(answer), hint: "" } };
    await readLines(answer, (document) => {
      if (document.note) said.notes.push(clean(document.note));
      else if (document.event) tell(`${doing}: ${describeEvent(document.event)}`);
      else Object.assign(said, document);
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    said.error = { message: "the daemon does not answer", hint: "" };
  }
  return said;
}

// What a refusal says, all problems of it, and what to type.
export function wordsOf({ message, hint, problems = [] }) {
  const each = problems.length > 1 ? `: ${problems.map((problem) => problem.message).join("; ")}` : "";
  return clean(`${message}${each}${hint ? ` (${hint})` : ""}`);
}

// Carries an operation out, and tells how it ended; whether it did well enough to have a result.
async function operate(path, body, { doing, done }) {
  const { result, error } = await follow(path, body, doing);
  const failed = result?.failed ?? [];
  if (error) tell(`${doing}: ${wordsOf(error)}`, "bad");
  else if (failed.length) tell(`${done}, but ${failed.join(", ")} failed`, "bad");
  else tell(result ? done : `${doing}: the daemon ended before it said how that went`, result ? "good" : "bad");
  return Boolean(result) && !error;
}

export async function restart(names) {
  const what = names.length ? names.join(", ") : "the whole stack";
  const isSure = names.length || await ask({
    title: "Restart the whole stack?", text: "Every service goes down and comes up again. Data stays.", confirm: "Restart all",
  });
  if (isSure) await operate("v1/restart", { services: names }, { doing: `restarting ${what}`, done: `restarted ${what}` });
}

export async function scale(service) {
  const answer = await ask({
    title: `Scale ${service.name}`, text: `How many instances of ${service.name} shall run?`, confirm: "Scale",
    value: service.replicas.wanted,
  });
  if (answer === false || Number.isNaN(answer)) return;
  const what = `${service.name} to ${countOf(answer, "instance")}`;
  await operate("v1/scale", { service: service.name, replicas: answer }, { doing: `scaling ${what}`, done: `scaled ${what}` });
}

export async function remove(service, services) {
  const needing = findDependents(service.name, services);
  const along = needing.length ? ` What needs it goes as well: ${needing.join(", ")}.` : "";
  const isSure = await ask({
    title: `Remove ${service.name}?`, text: `It stops and leaves the stack; its data stays.${along}`,
    confirm: needing.length ? `Remove ${1 + needing.length} services` : "Remove", isDangerous: true,
  });
  if (!isSure) return;
  const body = { services: [service.name], cascade: needing.length > 0 };
  await operate("v1/remove", body, { doing: `removing ${service.name}`, done: `removed ${service.name}` });
}

// All that could not run without it.
export function findDependents(name, services) {
  const found = new Set();
  const look = (needed) => {
    for (const each of services) {
      if (each.depends_on.includes(needed) && !found.has(each.name)) {
        found.add(each.name);
        look(each.name);
      }
    }
  };
  look(name);
  return [...found];
}

export async function stopStack(stack, count) {
  const isSure = await ask({
    title: `Stop stack ${stack}?`, text: `${countOf(count, "service")} and all that runs them go down, this page's daemon included.`,
    confirm: "Stop stack", isDangerous: true,
  });
  return isSure && operate("v1/stop", {}, { doing: `stopping ${stack}`, done: `stopped ${stack}; nothing is left running` });
}

// What can be added; null where that could not be found out, which was told.
export async function listAddable() {
  tell("looking what can be added …");
  let words = "the daemon does not answer";
  try {
    const answer = await fetch("v1/add-by-name");
    if (answer.ok) {
      const { services } = await answer.json();
      tell("", "none");
      return services;
    }
    words = await describeRefusal(answer);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  tell(`what can be added: ${clean(words)}`, "bad");
  return null;
}

// Adds one with all that it needs. Where ports are held by somebody else, others are offered.
export async function add(name, { hasAutoPorts = false } = {}) {
  const doing = `adding ${name}`;
  const body = { services: [name], auto_ports: hasAutoPorts };
  const { result, error, plan, notes } = await follow("v1/add-by-name", body, doing);
  if (error?.code === "port-taken" && !hasAutoPorts) {
    tell("", "none");
    const isSure = await ask({
      title: `${name} cannot have its port`,
      text: `${error.problems.map((problem) => clean(problem.message)).join("; ")}. It can run on another one.`,
      confirm: "Use another port",
    });
    if (isSure) await add(name, { hasAutoPorts: true });
    else tell(`${doing}: nothing was changed`, "bad");
    return;
  }
  const added = result?.changes?.added ?? [];
  const along = (plan?.services ?? []).map((service) => service.name).filter((each) => each !== name && added.includes(each));
  const moved = (plan?.services ?? []).flatMap((service) => service.ports)
    .filter((port) => port.wanted).map((port) => `port ${port.port} instead of ${port.wanted}`);
  const done = [
    added.length ? `added ${name}` : `${name} is there already`,
    along.length ? `with what it needs: ${along.join(", ")}` : "",
    ...moved, ...notes,
  ].filter(Boolean).join("; ");
  if (error) tell(`${doing}: ${wordsOf(error)}`, "bad");
  else if (result) tell(done, "good");
  else tell(`${doing}: the command ended before it said how that went`, "bad");
}

export async function openInterface(name) {
  // Opened at once, while the click still counts: later it would be a window that nobody asked for.
  const opened = window.open("about:blank", "_blank");
  try {
    const answer = await post("v1/login", { ui: name });
    if (!answer.ok) throw new Error(await describeRefusal(answer));
    const { url } = await answer.json();
    if (opened === null) tell(`the browser blocked the window; \`prismctl dev ui ${name}\` opens it`, "bad");
    else {
      opened.opener = null;
      opened.location.replace(url);
    }
  } catch (error) {
    opened?.close();
    tell(`${name}: ${error instanceof TypeError ? "the daemon does not answer" : error.message}`, "bad");
  }
}
