// The daemon's stream: connects, takes messages apart, and connects again when it is cut.

const RETRY_SECONDS = [0.3, 0.5, 1, 2, 3, 5];
// The daemon says something every ten seconds.
const SILENCE_SECONDS = 25;

export class Stream {
  #onMessage;
  #onState;
  #query = () => new URLSearchParams();
  #abort = null;
  #attempt = 0;
  #timer = 0;
  #isWanted = false;

  // onMessage(kind, data); onState("live" | "lost" | "refused", words)
  constructor({ onMessage, onState }) {
    this.#onMessage = onMessage;
    this.#onState = onState;
  }

  // query: makes the parameters anew for every connection, so that each goes on where the last one was.
  open(query) {
    this.#query = query;
    this.#isWanted = true;
    this.#attempt = 0;
    this.#connect();
  }

  close() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
  }

  retryNow() {
    if (this.#isWanted && this.#abort === null) {
      this.#attempt = 0;
      this.#connect();
    }
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    let words = "the daemon does not answer";
    try {
      const answer = await fetch(`v1/live?${this.#query()}`, { signal: abort.signal });
      if (answer.status === 401) {
        this.#isWanted = false;
        this.#abort = null;
        this.#onState("refused", "the link is needed again");
        return;
      }
      if (!answer.ok) throw new Error(await describeRefusal(answer));
      this.#attempt = 0;
      this.#onState("live", "");
      await this.#read(answer.body, abort);
    } catch (error) {
      if (abort.signal.reason === "silent") words = "the daemon has gone silent";
      else if (abort.signal.aborted) return;
      else if (!(error instanceof TypeError)) words = error.message;
    }
    if (this.#abort !== abort || !this.#isWanted) return;
    this.#abort = null;
    this.#onState("lost", words);
    const wait = RETRY_SECONDS[Math.min(this.#attempt, RETRY_SECONDS.length - 1)];
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#connect(), 1000 * wait);
  }

  async #read(body, abort) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let watchdog = 0;
    try {
      for (;;) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort("silent"), 1000 * SILENCE_SECONDS);
        const { value, done } = await reader.read();
        if (done) return;
        const messages = (rest + value).split("\n\n");
        rest = messages.pop();
        for (const message of messages) this.#take(message);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  #take(message) {
    const end = message.indexOf("\n");
    const kind = message.slice("event: ".length, end);
    this.#onMessage(kind, JSON.parse(message.slice(end + "\ndata: ".length)));
  }
}

export async function describeRefusal(answer) {
  try {
    const { error } = await answer.json();
    return error.hint ? `${error.message} (${error.hint})` : error.message;
  } catch {
    return `the daemon answered ${answer.status}`;
  }
}
