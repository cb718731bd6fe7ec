// Where the data comes from: a server that is asked again whenever something has happened, or this document.
//
// A source has `state`, what is shown now, and calls each listener when that is another. A live one has `call`, which
// asks the server to do something. The server tells by server-sent events that something has happened, and then gives
// the messages that have changed since the last picture.

const NAME = "qstash-fake-token";
const ANY = "any-token"; // a server that was started without a token lets in any
const SOON_MS = 60; // events of one burst are answered by one question
const EVERY_MS = 2000; // a change without an event, such as that of a queue, is seen after this time
const LONGEST_WAIT_MS = 8000;

export class Saved {
  constructor(data) {
    const { details, ...picture } = data;
    this.live = false;
    this.details = details;
    this.state = { ...picture, status: "saved" };
    document.title = data.title;
  }
  start() {}
  listen() {}
  async detail(id) {
    return this.details[id];
  }
  async timeline() {
    return this.state.timeline;
  }
}

export class Live {
  constructor(url, storage) {
    this.live = true;
    this.url = url;
    this.storage = storage;
    this.rows = new Map();
    this.state = { status: "connecting", messages: [] };
    this.listeners = new Set();
    this.asking = null;
    this.again = false;
  }

  get token() {
    return this.storage.getItem(NAME) ?? ANY;
  }

  get hasToken() {
    return this.storage.getItem(NAME) !== null;
  }

  // Use another token, for this tab alone, and begin again.
  useToken(token) {
    this.storage.setItem(NAME, token);
    this.set({ status: "connecting" });
    this.wake?.();
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(change) {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener(this.state);
  }

  async start() {
    setInterval(() => this.state.status === "live" && !document.hidden && this.refresh(), EVERY_MS);
    for (let failures = 0; ;) {
      try {
        await this.refresh(true);
        await this.follow(() => (failures = 0));
      } catch (error) {
        if (error.status === 401) {
          this.set({ status: "token" });
          await new Promise((resolve) => (this.wake = resolve));
          continue;
        }
        if (error.status === 403) return this.set({ status: "refused", why: error.message });
      }
      const wait = Math.min(500 * 2 ** failures++, LONGEST_WAIT_MS);
      this.set({ status: "reconnecting" });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  // Read events until the connection ends; each asks for what is new.
  async follow(connected) {
    const answer = await this.request("GET", `/_fake/events?after=${encodeURIComponent(this.state.place)}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    connected();
    this.set({ status: "live" });
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split("\n\n");
      text = events.pop();
      if (events.some((event) => !event.startsWith(":") && !event.startsWith("event: start"))) this.soon();
    }
  }

  soon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.refresh().catch(() => {});
    }, SOON_MS);
  }

  // Take the next picture; one question at a time, and one more if somebody asked meanwhile.
  refresh(whole = false) {
    if (this.asking) {
      this.again = true;
      return this.asking;
    }
    this.asking = this.take(whole).finally(() => {
      this.asking = null;
      if (this.again) {
        this.again = false;
        this.soon();
      }
    });
    return this.asking;
  }

  async take(whole) {
    const after = whole || !this.state.place ? "" : `?after=${encodeURIComponent(this.state.place)}`;
    const picture = await (await this.request("GET", `/_fake/picture${after}`)).json();
    if (picture.whole) this.rows = new Map();
    for (const row of picture.messages) this.rows.set(row.id, row);
    if (this.rows.size !== picture.total && !picture.whole) return this.take(true); // some were forgotten
    const same = !picture.whole && picture.messages.length === 0 ? this.state.messages : [...this.rows.values()];
    this.set({ ...picture, messages: same, taken: performance.now() });
  }

  async detail(id) {
    return (await this.request("GET", `/_fake/message?id=${encodeURIComponent(id)}`)).json();
  }

  async timeline() {
    return (await this.request("GET", "/_fake/timeline")).text();
  }

  // Ask the server to do something and return its answer, an object or nothing; then look what has become of it.
  async call(method, path, body, headers = {}) {
    const isJson = body !== undefined && typeof body !== "string";
    const answer = await this.request(method, path, {
      body: isJson ? JSON.stringify(body) : body,
      headers: isJson ? { "content-type": "application/json", ...headers } : headers,
    });
    const text = await answer.text();
    await this.refresh();
    try {
      return JSON.parse(text);
    } catch {
      return {};
    }
  }

  async request(method, path, { body, headers = {} } = {}) {
    const answer = await fetch(this.url + path, {
      method,
      body,
      headers: { authorization: `Bearer ${this.token}`, ...headers },
      cache: "no-store",
    });
    if (answer.ok) return answer;
    const text = await answer.text();
    let error = text;
    try {
      error = JSON.parse(text).error ?? text;
    } catch {
      // not JSON: shown as it is
    }
    throw Object.assign(new Error(error || `the server answered ${answer.status}`), { status: answer.status });
  }
}
