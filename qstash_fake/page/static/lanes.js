// The lanes: a row for each message over virtual time. Left its name, right what happened to it and what is to come.
import { html, useEffect, useMemo, useRef, useState } from "./vendor/htm-preact.js";
import { densityOf, endOf, extentOf, kindOf, outcomeOf, partsOf, sentenceOf, shortId, wordOf } from "./model.js";
import { moved, scrollTo, useWindow } from "./rows.js";
import { duration, moment, ticks } from "./time.js";

export const ROW = 40;
const NARROW = 620; // pixels: below, names get less room
const BARS = 160; // parts of the strip
const ZOOM = 1.6;
const SHORTEST_MS = 20; // that the lanes may show

export function Lanes({ picture, messages, now, selected, onSelect, ended = false, label = "Messages over time" }) {
  const { ref, width, height, first, end } = useWindow(messages.length, ROW);
  const drawn = Math.max((end - first) * ROW, first ? 0 : height); // the grid goes on below the last lane
  const names = width < NARROW ? Math.round(width * 0.44) : Math.min(330, Math.round(width * 0.3));
  const room = Math.max(80, width - names);
  const all = useMemo(() => extentOf(messages, now, ended), [messages, ended, now]);
  const [window_, setView] = useState(null);
  const view = window_ ?? all;
  const [active, setActive] = useState(0);
  const [from, to] = view;
  const x = (at) => ((at - from) / (to - from)) * room;
  const zero = useMemo(() => messages.reduce((least, one) => Math.min(least, one.created), now), [messages]);

  const zoom = (factor, at = (from + to) / 2) => {
    const span = Math.max(SHORTEST_MS, (to - from) * factor);
    const share = (at - from) / (to - from);
    setView(span >= (all[1] - all[0]) * 1.5 ? null : [at - span * share, at + span * (1 - share)]);
  };
  const pan = (share) => setView([from + (to - from) * share, to + (to - from) * share]);

  // Whoever looks at now goes with it when the clock is moved.
  const before = useRef(now);
  useEffect(() => {
    if (window_ && before.current >= from && before.current <= to && now > to) setView([now - (to - from) * 0.8, now + (to - from) * 0.2]);
    before.current = now;
  }, [now]);

  const latest = useRef();
  latest.current = { zoom, from, to, room, names };
  useEffect(() => {
    const element = ref.current;
    // Not passive: with Ctrl a browser would scale the whole page.
    const turn = (event) => {
      const { zoom: turned, from: left, to: right, room: wide, names: beside } = latest.current;
      const sideways = event.deltaX && Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey && !sideways) return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) {
        const place = event.clientX - element.getBoundingClientRect().left - beside;
        turned(Math.exp(event.deltaY * 0.004), left + (place / wide) * (right - left));
      } else {
        const moveBy = ((sideways ? event.deltaX : event.deltaY) / wide) * (right - left);
        setView([left + moveBy, right + moveBy]);
      }
    };
    element.addEventListener("wheel", turn, { passive: false });
    return () => element.removeEventListener("wheel", turn);
  }, []);

  const index = Math.min(active, Math.max(0, messages.length - 1));
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = { "+": () => zoom(1 / ZOOM), "=": () => zoom(1 / ZOOM), "-": () => zoom(ZOOM), 0: () => setView(null), ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2) };
    const next = moved(event.key, index, messages.length, 10);
    if (next !== undefined) {
      setActive(next);
      scrollTo(ref.current, next, ROW);
    } else if ((event.key === "Enter" || event.key === " ") && messages[index]) onSelect(messages[index].id);
    else if (acts[event.key]) acts[event.key]();
    else return;
    event.preventDefault();
  };

  const drag = useRef(null);
  const down = (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    drag.current = { x: event.clientX, view: [from, to], far: false };
  };
  const move = (event) => {
    if (!drag.current || !(event.buttons & 1)) return;
    const gap = event.clientX - drag.current.x;
    if (!drag.current.far && Math.abs(gap) < 4) return;
    drag.current.far = true;
    const [a, b] = drag.current.view;
    const shift = (gap / room) * (b - a);
    setView([a - shift, b - shift]);
  };
  const click = (id) => {
    const dragged = drag.current?.far;
    drag.current = null;
    if (dragged) return;
    setActive(messages.findIndex((one) => one.id === id));
    onSelect(id);
  };

  const shown = messages.slice(first, end);
  const lines = ticks(from, to, room, zero);
  return html`<section class="lanes" aria-label=${label}>
    <div class="lanes-head">
      <${Strip} messages=${messages} all=${all} view=${view} now=${now} names=${names} setView=${setView} />
      <div class="zoom" role="group" aria-label="Zoom">
        <button type="button" onClick=${() => pan(-0.4)} aria-label="Earlier" title="Earlier (←)">←</button>
        <button type="button" onClick=${() => zoom(1 / ZOOM)} aria-label="Zoom in" title="Zoom in (+, Ctrl and wheel)">+</button>
        <button type="button" onClick=${() => zoom(ZOOM)} aria-label="Zoom out" title="Zoom out (-)">−</button>
        <button type="button" onClick=${() => pan(0.4)} aria-label="Later" title="Later (→)">→</button>
        <button type="button" onClick=${() => setView(null)} title="Show all of it (0)" disabled=${!window_}>Fit</button>
      </div>
    </div>
    <svg class="axis" width=${width} height="30" aria-hidden="true">
      <text class="axis-zero" x="14" y="19">since ${moment(zero)}</text>
      <svg x=${names} width=${room} height="30">
        ${lines.map((at) => html`<g key=${at} transform=${`translate(${x(at)} 0)`}><line y1="22" y2="30" /><text y="16">+${duration(at - zero)}</text></g>`)}
        ${picture.notes.filter((note) => note.at >= from && note.at <= to).map((note) => html`<path class="note" d="M0 21l4.5 4.5l-4.5 4.5l-4.5 -4.5z" transform=${`translate(${x(note.at)} 0)`}><title>${note.text}</title></path>`)}
        <${Now} x=${x(now)} height=${30} flag />
      </svg>
    </svg>
    <div class="lanes-body" ref=${ref} onPointerDown=${down} onPointerMove=${move}>
      <div class="lanes-all" style=${{ height: `${messages.length * ROW}px` }}>
        <svg class="lanes-drawn" aria-hidden="true" width=${room} height=${drawn} style=${{ left: `${names}px`, top: `${first * ROW}px` }}>
          <${Marks} />
          ${lines.map((at) => html`<line key=${at} class="grid" x1=${x(at)} x2=${x(at)} y1="0" y2="100%" />`)}
          ${shown.map((message, at) => html`<g key=${message.id} class="lane" transform=${`translate(0 ${at * ROW})`} onClick=${() => click(message.id)}>
            <rect class=${`back${message.id === selected ? " selected" : ""}`} width=${room} height=${ROW} />
            <${Lane} message=${message} x=${x} now=${now} held=${picture.held[message.id]} room=${room} />
          </g>`)}
          <${Arrows} messages=${messages} first=${first} end=${end} x=${x} />
          <${Now} x=${x(now)} height=${drawn} />
        </svg>
        <div class="names" role="listbox" tabindex="0" aria-label=${`${label}; arrow keys choose, Enter opens, plus and minus zoom`} aria-activedescendant=${messages[index] && index >= first && index < end ? `lane-${index}` : undefined} onKeyDown=${keys} style=${{ width: `${names}px` }}>
          ${shown.map((message, at) => html`<${Name} key=${message.id} message=${message} picture=${picture} index=${first + at} count=${messages.length} active=${first + at === index} selected=${message.id === selected} onClick=${() => click(message.id)} />`)}
        </div>
      </div>
    </div>
  </section>`;
}

function Name({ message, picture, index, count, active, selected, onClick }) {
  const { host, path } = partsOf(message.url);
  const [part, run] = message.part?.split(" of run ") ?? [];
  const more = [part ? `${host}${path} · run ${run}` : host, message.queue && `queue ${message.queue}`, message.key && `key ${message.key}`].filter(Boolean).join(" · ");
  return html`<div class=${`name${active ? " active" : ""}`} role="option" id=${`lane-${index}`} aria-selected=${selected} aria-setsize=${count} aria-posinset=${index + 1} title=${`${message.method} ${message.url}\n${message.id}`} style=${{ top: `${index * ROW}px` }} onClick=${onClick}>
    <span class="unseen">${sentenceOf(message, picture)}. </span>
    <i class=${`dot ${kindOf(message, picture.held)}`}></i>
    <span class="name-text"><b>${part ?? path}</b><small>${more} · ${shortId(message.id)}</small></span>
  </div>`;
}

// One message: waits are lines, attempts are bars, an end is a sign.
//
// Until an attempt is due the message waits, by its delay or its retry delay: a thin line, dashed for a retry. From then
// until the attempt starts a gate holds it: a thick dotted line. What is still to come is drawn pale.
function Lane({ message, x, now, held, room }) {
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
    parts.push(html`<${Wait} from=${x(after)} to=${x(Math.max(after, message.due))} kind=${`${attempts.length ? "backoff" : "delay"} ahead`} />`);
    if (message.due <= now) parts.push(html`<${Wait} from=${x(Math.max(after, message.due))} to=${x(now)} kind="gate" />`);
    else parts.push(html`<circle class="due" cx=${x(message.due)} cy="20" r="4.5" />`);
  }
  if (message.state === "CANCELED") parts.push(html`<${Wait} from=${x(after)} to=${x(message.finished)} kind="delay" />`);
  parts.push(html`<line class="created" x1=${x(message.created)} x2=${x(message.created)} y1="13" y2="27" />`);
  attempts.forEach((attempt, number) => {
    const left = x(attempt.at);
    const right = Math.max(left + 7, x(endOf(attempt, now)));
    if (right < -200 || left > room + 20) return;
    const next = attempts[number + 1];
    const space = (next ? x(next.at) : message.finished || !pending ? room : x(message.due)) - right;
    const kind = outcomeOf(attempt);
    parts.push(html`<g class=${`attempt ${kind}`}><title>${`attempt ${attempt.retried + 1} at ${moment(attempt.at)}: ${wordOf(attempt)}`}</title>
      <rect x=${left} y="12" width=${right - left} height="16" rx="3" />
      ${space > 36 && html`<text x=${right + 5} y="24">${wordOf(attempt).slice(0, Math.max(3, Math.floor(Math.min(space, room - right) / 7)))}</text>`}
    </g>`);
  });
  if (message.state === "FAILED") parts.push(html`<path class="dead" d="M-5 -5L5 5M5 -5L-5 5" transform=${`translate(${endSign(message, attempts, x)} 20)`} />`);
  if (message.state === "CANCELED") parts.push(html`<g class="cancelled" transform=${`translate(${x(message.finished)} 20)`}><circle r="5" /><path d="M-3.5 3.5L3.5 -3.5" /></g>`);
  const last = x(message.finished ?? Math.max(now, message.due));
  if (last < 0) parts.push(html`<path class="beyond" d="M9 16L5 20L9 24" />`);
  if (x(message.created) > room) parts.push(html`<path class="beyond" d=${`M${room - 9} 16L${room - 5} 20L${room - 9} 24`} />`);
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

// From a message to those that report on it, or were published again for it.
function Arrows({ messages, first, end, x }) {
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
    return html`<path key=${message.id} class="arrow" d=${`M${at} ${from}C${at} ${from + 14} ${at} ${to - 14} ${at} ${to}`} marker-end="url(#arrow)" />`;
  });
}

function Marks() {
  return html`<defs><marker id="arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="arrow-head" d="M0 0L8 4L0 8z" /></marker></defs>`;
}

function Now({ x, height, flag }) {
  return html`<g class="now" transform=${`translate(${x} 0)`}><line y1=${flag ? 20 : 0} y2=${height} />${flag && html`<path d="M-4 16h8l-4 7z" />`}</g>`;
}

// All of time in a strip: where attempts are, and which part the lanes show. A drag over it chooses a part.
function Strip({ messages, all, view, now, names, setView }) {
  const { good, bad, most } = useMemo(() => densityOf(messages, all[0], all[1], BARS), [messages, all[0], all[1]]);
  const ref = useRef(null);
  const start = useRef(null);
  const share = (at) => ((at - all[0]) / (all[1] - all[0])) * BARS;
  const at = (event) => {
    const box = ref.current.getBoundingClientRect();
    return all[0] + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (all[1] - all[0]);
  };
  const bars = (counts, below) => counts.map((count, index) => {
    const low = below ? (below[index] / most) * 22 : 0;
    const high = (count / most) * 22;
    return count ? `M${index + 0.15} ${24 - low}v${-Math.max(1.5, high)}h0.7v${Math.max(1.5, high)}z` : "";
  }).join("");
  return html`<svg ref=${ref} class="strip" viewBox=${`0 0 ${BARS} 26`} preserveAspectRatio="none" aria-hidden="true"
    onPointerDown=${(event) => { start.current = at(event); event.currentTarget.setPointerCapture(event.pointerId); }}
    onPointerMove=${(event) => {
      if (start.current === null || !(event.buttons & 1)) return;
      const pair = [start.current, at(event)].sort((a, b) => a - b);
      if (pair[1] - pair[0] > SHORTEST_MS) setView(pair);
    }}
    onPointerUp=${() => (start.current = null)} onDblClick=${() => setView(null)}>
    <path class="good" d=${bars(good)} /><path class="bad" d=${bars(bad, good)} />
    <rect class="strip-view" x=${Math.max(0, share(view[0]))} width=${Math.max(0.6, Math.min(BARS, share(view[1])) - Math.max(0, share(view[0])))} y="0" height="26" />
    <line class="strip-now" x1=${share(now)} x2=${share(now)} y1="0" y2="26" />
  </svg>`;
}
