// What is drawn in a lane, and between lanes: waits, attempts, ends, arrows, now.
import { html, useMemo } from "./vendor/htm-preact.js";
import { endOf, outcomeOf, wordOf } from "./model.js";
import { moment } from "./time.js";

export const ROW = 40; // pixels of a lane
const CHARACTER = 7; // pixels of a character of a word in a lane, about

// One message: waits are lines, attempts are bars, an end is a sign.
//
// Until an attempt is due the message waits, by its delay or its retry delay: a thin line, dashed for a retry.
// From then until the attempt starts a gate holds it: a thick dotted line. What is still to come is drawn pale.
export function Lane({ message, x, now, held, room }) {
  const attempts = message.attempts ?? [];
  const parts = [];
  let after = message.created;
  attempts.forEach((attempt, number) => {
    const due = Math.max(after, Math.min(attempt.due, attempt.at));
    parts.push(html`<${Wait} from=${x(after)} to=${x(due)} kind=${number ? "backoff" : "delay"} />`);
    parts.push(html`<${Wait} from=${x(due)} to=${x(attempt.at)} kind="gate" />`);
    after = endOf(attempt, now);
  });
  const pending = !message.finished && message.state !== "ACTIVE";
  if (pending) {
    parts.push(
      html`<${Wait}
        from=${x(after)}
        to=${x(Math.max(after, message.due))}
        kind=${`${attempts.length ? "backoff" : "delay"} ahead`}
      />`,
    );
    if (message.due <= now)
      parts.push(html`<${Wait} from=${x(Math.max(after, message.due))} to=${x(now)} kind="gate" />`);
    else parts.push(html`<circle class="due" cx=${x(message.due)} cy="20" r="4.5" />`);
  }
  if (message.state === "CANCELED")
    parts.push(html`<${Wait} from=${x(after)} to=${x(message.finished)} kind="delay" />`);
  parts.push(html`<line class="created" x1=${x(message.created)} x2=${x(message.created)} y1="13" y2="27" />`);
  attempts.forEach((attempt, number) => {
    const left = x(attempt.at);
    const right = Math.max(left + 7, x(endOf(attempt, now)));
    if (right < -200 || left > room + 20) return;
    const next = attempts[number + 1];
    const space = (next ? x(next.at) : message.finished || !pending ? room : x(message.due)) - right;
    const kind = outcomeOf(attempt);
    const word = wordOf(attempt).slice(0, Math.max(3, Math.floor(Math.min(space, room - right) / CHARACTER)));
    parts.push(
      html`<g class=${`attempt ${kind}`}
        ><title>${`attempt ${attempt.retried + 1} at ${moment(attempt.at)}: ${wordOf(attempt)}`}</title>
        <rect x=${left} y="12" width=${right - left} height="16" rx="3" />
        ${space > 36 && html`<text x=${right + 5} y="24">${word}</text>`}
      </g>`,
    );
  });
  if (message.state === "FAILED")
    parts.push(
      html`<path
        class="dead"
        d="M-5 -5L5 5M5 -5L-5 5"
        transform=${`translate(${endSign(message, attempts, x)} 20)`}
      />`,
    );
  if (message.state === "CANCELED")
    parts.push(
      html`<g class="cancelled" transform=${`translate(${x(message.finished)} 20)`}
        ><circle r="5" /><path d="M-3.5 3.5L3.5 -3.5"
      /></g>`,
    );
  const last = x(message.finished ?? Math.max(now, message.due));
  if (last < 0) parts.push(html`<path class="beyond" d="M9 16L5 20L9 24" />`);
  if (x(message.created) > room)
    parts.push(html`<path class="beyond" d=${`M${room - 9} 16L${room - 5} 20L${room - 9} 24`} />`);
  if (held) parts.push(html`<text class="held-why" x=${Math.min(x(now) + 8, room - 20)} y="24">${held}</text>`);
  return parts;
}

// Where the sign of a dead letter stands: behind the last attempt and its word.
function endSign(message, attempts, x) {
  const last = attempts.at(-1);
  const right = last ? Math.max(x(last.at) + 7, x(endOf(last, message.finished))) : x(message.finished);
  return right + (last ? 14 + wordOf(last).length * 7 : 10);
}

function Wait({ from, to, kind }) {
  return to - from < 0.5 ? null : html`<line class=${`wait ${kind}`} x1=${from} x2=${to} y1="20" y2="20" />`;
}

// From a message to its callbacks, and to messages that were published again for it.
export function Arrows({ messages, first, end, x }) {
  const { places, children } = useMemo(() => {
    const found = { places: new Map(), children: new Map() };
    messages.forEach((message, index) => {
      if (!message.source) return;
      if (!found.children.has(message.source)) found.children.set(message.source, []);
      found.children.get(message.source).push(index);
    });
    if (found.children.size) messages.forEach((message, index) => found.places.set(message.id, index));
    return found;
  }, [messages]);
  if (!children.size) return null;
  const seen = new Set();
  for (let index = first; index < end; index += 1) {
    if (messages[index].source) seen.add(index);
    for (const child of children.get(messages[index].id) ?? []) seen.add(child);
  }
  return [...seen].map((index) => {
    const message = messages[index];
    const above = places.get(message.source);
    if (above === undefined) return null;
    const at = x(message.created);
    const from = (above - first) * ROW + 28;
    const to = (index - first) * ROW + 11;
    return html`<path
      key=${message.id}
      class="arrow"
      d=${`M${at} ${from}C${at} ${from + 14} ${at} ${to - 14} ${at} ${to}`}
      marker-end="url(#arrow)"
    />`;
  });
}

export function Marks() {
  return html`<defs
    ><marker id="arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto"
      ><path class="arrow-head" d="M0 0L8 4L0 8z" /></marker
  ></defs>`;
}

export function Now({ x, height, flag }) {
  return html`<g class="now" transform=${`translate(${x} 0)`}
    ><line y1=${flag ? 20 : 0} y2=${height} />${flag && html`<path d="M-4 16h8l-4 7z" />`}</g
  >`;
}
