// What changes the stack: asked about where it takes something away, told while it goes on, and how it ended.

import { countOf, element } from "./format.js";
import { describeRefusal } from "./stream.js";

const dialog = document.getElementById("question");
const field = document.getElementById("question-field");
const number = document.getElementById("question-number");
const command = document.getElementById("question-command");
const yes = document.getElementById("question-yes");
const progress = document.getElementById("progress");

// What somebody answered: false, or true, or the number where one was asked for.
function ask({ title, text, confirm, isDangerous = false, value = null, shows = "" }) {
  document.getElementById("question-title").textContent = title;
  document.getElementById("question-text").textContent = text;
  yes.textContent = confirm;
  yes.className = isDangerous ? "danger" : "";
  yes.hidden = confirm === "";
  document.getElementById("question-no").textContent = confirm === "" ? "Close" : "Cancel";
  field.hidden = value === null;
  command.hidden = shows === "";
  command.textContent = shows;
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
  progress.replaceChildren(element("span", {}, words));
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

// Carries an operation out; its events are told by the stream that is open anyway.
async function operate(path, body, { doing, done }) {
  tell(`${doing} …`);
  try {
    const answer = await post(path, body);
    if (!answer.ok) throw new Error(await describeRefusal(answer));
    const last = (await answer.text()).trimEnd().split("\n").at(-1);
    const { result, error } = JSON.parse(last || "{}");
    if (error) throw new Error(error.hint ? `${error.message} (${error.hint})` : error.message);
    const failed = result?.failed ?? [];
    if (failed.length) tell(`${done}, but ${failed.join(", ")} failed`, "bad");
    else tell(result ? done : `${doing}: the daemon ended before it said how that went`, result ? "good" : "bad");
    return Boolean(result);
  } catch (error) {
    const words = error instanceof TypeError ? "the daemon does not answer" : error.message;
    tell(`${doing}: ${words}`, "bad");
    return false;
  }
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

export function showAdding(stack) {
  const option = stack === "default" ? "" : ` --stack ${stack}`;
  return ask({
    title: "Add a service", text: "What can be added is in your catalog, which the terminal knows. Type this there, and watch it come up here:",
    confirm: "", shows: `prismctl dev add NAME${option}`,
  });
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
