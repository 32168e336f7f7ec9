// How bad a log line is: the same as in the terminal (present/log_levels.py), asked only for lines that are looked at.

export const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];
const [TRACE, DEBUG, INFO, WARN, ERROR, FATAL] = LEVELS.keys();

const WORDS = {
  trace: TRACE, trc: TRACE, finest: TRACE,
  debug: DEBUG, dbg: DEBUG, verbose: DEBUG, fine: DEBUG,
  info: INFO, inf: INFO, information: INFO, log: INFO, note: INFO, notice: INFO,
  warn: WARN, wrn: WARN, warning: WARN,
  error: ERROR, err: ERROR, eror: ERROR, severe: ERROR,
  fatal: FATAL, ftl: FATAL, panic: FATAL, crit: FATAL, critical: FATAL, alert: FATAL, emerg: FATAL, emergency: FATAL,
};
const LETTERS = { T: TRACE, D: DEBUG, I: INFO, W: WARN, E: ERROR, F: FATAL };
const REDIS_MARKS = { ".": DEBUG, "-": DEBUG, "*": INFO, "#": WARN };
const SYSLOG = [FATAL, FATAL, FATAL, ERROR, WARN, INFO, INFO, DEBUG];

const KEYS = "(?:@?level|lvl|severity|severitytext|levelname|loglevel|log\\.level)";
const JSON_LEVEL = new RegExp(`"${KEYS}"\\s*:\\s*(?:"([A-Za-z]+)"|(\\d{1,2})\\b)`, "i");
const FIELD_LEVEL = new RegExp(`(?<![\\w.-])${KEYS}="?([A-Za-z]+)`);
const MARKED = [
  [/^\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-])/, (mark) => REDIS_MARKS[mark]],
  [/^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s/, (letter) => LETTERS[letter]],
  [/^([DIWEF]), \[/, (letter) => LETTERS[letter]],
  [/^<([0-7])>/, (digit) => SYSLOG[Number(digit)]],
];
const CRASHES = [
  ["Traceback (most recent call last)", ERROR],
  ["Exception in thread ", ERROR],
  ["panic: ", FATAL],
  ["fatal error: ", FATAL],
  ["Segmentation fault", FATAL],
];
const POSTGRES_MORE = /\b(?:STATEMENT|DETAIL|HINT|CONTEXT|QUERY|LOCATION): {2}/;
// At the beginning of a line a level may be written in any way, elsewhere in capitals only.
const anyCase = (word) => word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
const FIRST_WORDS = ["trace", "debug", "info", "notice", "warning", "warn", "error", "fatal", "panic"].map(anyCase).join("|");
const WORD = new RegExp(
  "[[<(]([A-Za-z]{3,11})[\\]>)]"
  + `|^(?:[\\w./-]{1,40}: )?(${FIRST_WORDS})(?:\\[\\w+\\])?: `
  + "|(?<![\\w.-])(TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|FATAL|PANIC|CRITICAL|LOG)(?![\\w-])",
  "g",
);
const HEAD_CHARACTERS = 200;
const JSON_CHARACTERS = 4096;
const COLOUR = /\x1b\[[0-9;:]*m/g;

// The number of a level, or null for a line that carries none.
export function levelOf(line) {
  const text = line.slice(0, JSON_CHARACTERS).replace(COLOUR, "");
  let match = JSON_LEVEL.exec(text);
  if (match) return (match[1] ? WORDS[match[1].toLowerCase()] : numbered(Number(match[2]))) ?? null;
  match = FIELD_LEVEL.exec(text);
  if (match) return WORDS[match[1].toLowerCase()] ?? null;
  for (const [pattern, meaning] of MARKED) {
    match = pattern.exec(text);
    if (match) return meaning(match[1]);
  }
  const crash = CRASHES.find(([words]) => text.startsWith(words));
  return crash ? crash[1] : worded(text.slice(0, HEAD_CHARACTERS));
}

function worded(head) {
  if (POSTGRES_MORE.test(head)) return null;
  for (const match of head.matchAll(WORD)) {
    const level = WORDS[(match[1] ?? match[2] ?? match[3]).toLowerCase()];
    if (level !== undefined) return level;
  }
  return null;
}

function numbered(number) {
  return number >= 10 ? Math.min(Math.floor(number / 10) - 1, FATAL) : SYSLOG[number];
}
