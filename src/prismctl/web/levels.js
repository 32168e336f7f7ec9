// How bad a log line is: by the rules of the terminal, asked only for lines that are looked at.

import { LEVELS, LEVEL_RULES as RULES } from "./words.js";

export { LEVELS };

const FATAL = LEVELS.indexOf("fatal");
const JSON_LEVEL = new RegExp(RULES.json, "i");
const FIELD_LEVEL = new RegExp(RULES.field);
const MARKED = RULES.marked.map(([pattern, meaning]) => [new RegExp(pattern), meaning]);
const CONTINUED = new RegExp(RULES.continued);
const WORD = new RegExp(RULES.word, "g");
const COLOUR = new RegExp(RULES.colour, "g");

// The number of a level, or null for a line that carries none.
export function levelOf(line) {
  const text = line.slice(0, RULES.json_characters).replace(COLOUR, "");
  let match = JSON_LEVEL.exec(text);
  if (match) return (match[1] ? RULES.words[match[1].toLowerCase()] : numbered(Number(match[2]))) ?? null;
  match = FIELD_LEVEL.exec(text);
  if (match) return RULES.words[match[1].toLowerCase()] ?? null;
  for (const [pattern, meaning] of MARKED) {
    match = pattern.exec(text);
    if (match) return meaning[match[1]];
  }
  const crash = RULES.crashes.find(([words]) => text.startsWith(words));
  return crash ? crash[1] : worded(text.slice(0, RULES.head_characters));
}

function worded(head) {
  if (CONTINUED.test(head)) return null;
  for (const match of head.matchAll(WORD)) {
    const level = RULES.words[(match[1] ?? match[2] ?? match[3]).toLowerCase()];
    if (level !== undefined) return level;
  }
  return null;
}

function numbered(number) {
  return number >= RULES.first_node_level ? Math.min(Math.floor(number / 10) - 1, FATAL) : RULES.syslog[number];
}
