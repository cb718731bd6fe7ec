// The lanes: a row for each message over virtual time. Left its name, right what happened to it and what is to come.
import { html, useEffect, useMemo, useRef, useState } from "./vendor/htm-preact.js";
import { Arrows, Lane, Marks, Now, ROW } from "./lane.js";
import { extentOf, kindOf, partsOf, sentenceOf, shortId } from "./model.js";
import { moved, scrollTo, useWindow } from "./rows.js";
import { SHORTEST_MS, Strip } from "./strip.js";
import { duration, moment, ticks } from "./time.js";

const NARROW = 620; // pixels: below, names get less room
const ZOOM = 1.6;

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
    if (window_ && before.current >= from && before.current <= to && now > to)
      setView([now - (to - from) * 0.8, now + (to - from) * 0.2]);
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
    const acts = {
      "+": () => zoom(1 / ZOOM),
      "=": () => zoom(1 / ZOOM),
      "-": () => zoom(ZOOM),
      0: () => setView(null),
      ArrowLeft: () => pan(-0.2),
      ArrowRight: () => pan(0.2),
    };
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
        <button
          type="button"
          onClick=${() => zoom(1 / ZOOM)}
          aria-label="Zoom in"
          title="Zoom in (+, Ctrl and wheel)"
        >
          +
        </button>
        <button type="button" onClick=${() => zoom(ZOOM)} aria-label="Zoom out" title="Zoom out (-)">−</button>
        <button type="button" onClick=${() => pan(0.4)} aria-label="Later" title="Later (→)">→</button>
        <button type="button" onClick=${() => setView(null)} title="Show all of it (0)" disabled=${!window_}>
          Fit
        </button>
      </div>
    </div>
    <svg class="axis" width=${width} height="30" aria-hidden="true">
      <text class="axis-zero" x="14" y="19">since ${moment(zero)}</text>
      <svg x=${names} width=${room} height="30">
        ${lines.map(
          (at) =>
            html`<g key=${at} transform=${`translate(${x(at)} 0)`}>
              <line y1="22" y2="30" />
              <text y="16">+${duration(at - zero)}</text>
            </g>`,
        )}
        ${picture.notes
          .filter((note) => note.at >= from && note.at <= to)
          .map(
            (note) =>
              html`<path class="note" d="M0 21l4.5 4.5l-4.5 4.5l-4.5 -4.5z" transform=${`translate(${x(note.at)} 0)`}>
                <title>${note.text}</title>
              </path>`,
          )}
        <${Now} x=${x(now)} height=${30} flag />
      </svg>
    </svg>
    <div class="lanes-body" ref=${ref} onPointerDown=${down} onPointerMove=${move}>
      <div class="lanes-all" style=${{ height: `${messages.length * ROW}px` }}>
        <svg
          class="lanes-drawn"
          aria-hidden="true"
          width=${room}
          height=${drawn}
          style=${{ left: `${names}px`, top: `${first * ROW}px` }}
        >
          <${Marks} />
          ${lines.map((at) => html`<line key=${at} class="grid" x1=${x(at)} x2=${x(at)} y1="0" y2="100%" />`)}
          ${shown.map(
            (message, at) =>
              html`<g
                key=${message.id}
                class="lane"
                transform=${`translate(0 ${at * ROW})`}
                onClick=${() => click(message.id)}
              >
                <rect class=${`back${message.id === selected ? " selected" : ""}`} width=${room} height=${ROW} />
                <${Lane} message=${message} x=${x} now=${now} held=${picture.held[message.id]} room=${room} />
              </g>`,
          )}
          <${Arrows} messages=${messages} first=${first} end=${end} x=${x} />
          <${Now} x=${x(now)} height=${drawn} />
        </svg>
        <div
          class="names"
          role="listbox"
          tabindex="0"
          aria-label=${`${label}; arrow keys choose, Enter opens, plus and minus zoom`}
          aria-activedescendant=${messages[index] && index >= first && index < end ? `lane-${index}` : undefined}
          onKeyDown=${keys}
          style=${{ width: `${names}px` }}
        >
          ${shown.map(
            (message, at) =>
              html`<${Name}
                key=${message.id}
                message=${message}
                picture=${picture}
                index=${first + at}
                count=${messages.length}
                active=${first + at === index}
                selected=${message.id === selected}
                onClick=${() => click(message.id)}
              />`,
          )}
        </div>
      </div>
    </div>
  </section>`;
}

function Name({ message, picture, index, count, active, selected, onClick }) {
  const { host, path } = partsOf(message.url);
  const [part, run] = message.part?.split(" of run ") ?? [];
  const more = [
    part ? `${host}${path} · run ${run}` : host,
    message.queue && `queue ${message.queue}`,
    message.key && `key ${message.key}`,
  ]
    .filter(Boolean)
    .join(" · ");
  return html`<div
    class=${`name${active ? " active" : ""}`}
    role="option"
    id=${`lane-${index}`}
    aria-selected=${selected}
    aria-setsize=${count}
    aria-posinset=${index + 1}
    title=${`${message.method} ${message.url}\n${message.id}`}
    style=${{ top: `${index * ROW}px` }}
    onClick=${onClick}
  >
    <span class="unseen">${sentenceOf(message, picture)}. </span>
    <i class=${`dot ${kindOf(message, picture.held)}`}></i>
    <span class="name-text"><b>${part ?? path}</b><small>${more} · ${shortId(message.id)}</small></span>
  </div>`;
}
