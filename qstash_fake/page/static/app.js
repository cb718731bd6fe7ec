// The page: what it shows of the source, and who is told what came of what was asked.
import { html, useCallback, useEffect, useMemo, useState } from "./vendor/htm-preact.js";
import { Detail } from "./detail.js";
import { Empty, Refused, TokenDialog } from "./first.js";
import { Forms, Verbs } from "./form.js";
import { Lanes } from "./lanes.js";
import { STATES, WORDS, kindOf, matches } from "./model.js";
import { useNow } from "./rows.js";
import { Runs } from "./runs.js";
import { DeadLetters, Gates, Log, Messages, Schedules } from "./tabs.js";
import { duration, moment } from "./time.js";

// Name, what it shows, how many of it there are, and whether it is there without a server.
const TABS = [
  [
    "Timeline",
    (on) =>
      html`<div class="full">
        <${Filter} ...${on} /><${Lanes}
          picture=${on.picture}
          messages=${on.messages}
          now=${on.now}
          selected=${on.selected}
          onSelect=${on.open}
        />
      </div>`,
  ],
  [
    "Messages",
    (on) => html`<div class="full"><${Filter} ...${on} /><${Messages} ...${on} /></div>`,
    (picture) => picture.messages.length,
  ],
  ["Workflows", (on) => html`<${Runs} ...${on} />`, (picture) => picture.runs.length],
  [
    "Queues and keys",
    (on) => html`<${Gates} ...${on} />`,
    (picture) => picture.queues.length + picture.flow_control.length + picture.url_groups.length,
  ],
  ["Schedules", (on) => html`<${Schedules} ...${on} />`, (picture) => picture.schedules.length],
  ["Dead letters", (on) => html`<${DeadLetters} ...${on} />`, (picture) => Object.keys(picture.dead).length],
  ["Log", (on) => html`<${Log} ...${on} />`],
  ["Control", (on) => html`<${Forms} ...${on} />`, null, true],
];

const STATUS = { live: "live", saved: "saved report", connecting: "connecting", reconnecting: "reconnecting" };

export function App({ source }) {
  const [picture, setPicture] = useState(source.state);
  const [tab, setTab] = useState("Timeline");
  const [selected, open] = useState(null);
  const [said, setSaid] = useState(null);
  const [text, setText] = useState("");
  const [kinds, setKinds] = useState(() => new Set());
  const now = useNow(picture);
  useEffect(() => source.listen(setPicture), [source]);

  const run = useCallback(
    async (name, method, path, body, headers) => {
      try {
        const answer = await source.call(method, path, body, headers);
        setSaid({ name, text: answer.summary ?? "done" });
        return answer;
      } catch (error) {
        setSaid({ name, text: error.message, isProblem: true });
        return { error: error.message };
      }
    },
    [source],
  );

  const messages = useMemo(
    () =>
      text || kinds.size
        ? picture.messages.filter((one) => matches(one, text, kinds, picture.held))
        : picture.messages,
    [picture.messages, picture.held, text, kinds],
  );
  const close = () => {
    open(null);
    document.querySelector(".names, .table-room")?.focus();
  };

  if (picture.status === "refused") return html`<${Refused} why=${picture.why} />`;
  if (picture.status === "token") return html`<${TokenDialog} source=${source} />`;
  if (picture.now === undefined) return html`<p class="nothing room" role="status">${STATUS[picture.status]} …</p>`;

  const tabs = TABS.filter(([, , , needsServer]) => source.live || !needsServer);
  const on = { source, picture, messages, now, selected, open, run, text, setText, kinds, setKinds };
  const shown = tabs.find(([name]) => name === tab) ?? tabs[0];
  const isEmpty =
    source.live &&
    picture.total === 0 &&
    picture.schedules.length === 0 &&
    picture.runs.length === 0 &&
    ["Timeline", "Messages"].includes(shown[0]);
  return html`<div class=${`app${selected ? " with-detail" : ""}`}>
    <header class="top">
      <h1><${Logo} /> <span>${source.live ? "qstash_fake" : picture.title}</span></h1>
      <p class="clock"><b>${moment(now).slice(0, 19)}</b> <small>UTC</small><span>${nextOf(picture, now)}</span></p>
      ${source.live && html`<${Verbs} picture=${picture} run=${run} now=${now} />`}
      <span class=${`status ${picture.status}`} role="status">${STATUS[picture.status] ?? picture.status}</span>
    </header>
    <nav class="tabs" aria-label="Views">
      ${tabs.map(
        ([name, , count]) =>
          html`<button
            type="button"
            key=${name}
            aria-current=${name === shown[0] ? "page" : undefined}
            onClick=${() => setTab(name)}
          >
            ${name}${count && html` <span class="count">${count(picture)}</span>`}
          </button>`,
      )}
    </nav>
    <div class="notices">
      ${picture.failure && html`<${Failure} ...${picture.failure} />`}
      ${picture.left_out && html`<p class="notice">This report is cut: ${picture.left_out}; ${picture.cut}.</p>`}
      ${source.live && picture.fixed_clock && html`<p class="notice">${picture.fixed_clock}</p>`}
    </div>
    <main class="content" aria-label=${shown[0]}>
      ${isEmpty ? html`<${Empty} source=${source} control=${() => setTab("Control")} />` : shown[1](on)}
    </main>
    ${selected && html`<${Detail} ...${on} id=${selected} close=${close} />`}
    <div class="said" role=${said?.isProblem ? "alert" : "status"}>
      ${
        said &&
        html`<p class=${said.isProblem ? "problem" : ""}>
          <b>${said.name}</b> <span>${said.text}</span>${" "}
          <button type="button" class="quiet" aria-label="Hide" onClick=${() => setSaid(null)}>✕</button>
        </p>`
      }
    </div>
  </div>`;
}

function nextOf(picture, now) {
  if (picture.next_due === null) return "nothing is to come";
  return picture.next_due <= now ? "something is due now" : `next in ${duration(picture.next_due - now)}`;
}

function Filter({ picture, messages, text, setText, kinds, setKinds }) {
  const counts = useMemo(() => {
    const found = new Map();
    for (const one of picture.messages) {
      const kind = kindOf(one, picture.held);
      found.set(kind, (found.get(kind) ?? 0) + 1);
    }
    return found;
  }, [picture.messages, picture.held]);
  const toggle = (kind) => {
    const next = new Set(kinds);
    if (!next.delete(kind)) next.add(kind);
    setKinds(next);
  };
  const all = [...STATES.map((state) => [state.toLowerCase(), WORDS[state]]), ["held", "held"]];
  return html`<div class="filter">
    <input
      type="search"
      aria-label="Search messages"
      placeholder="Search: URL, id, queue, label, status, body"
      value=${text}
      onInput=${(event) => setText(event.currentTarget.value)}
    />
    <div class="kinds" role="group" aria-label="States">
      ${all
        .filter(([kind]) => counts.has(kind) || kinds.has(kind))
        .map(
          ([kind, word]) =>
            html`<button
              type="button"
              key=${kind}
              class="kind"
              aria-pressed=${kinds.has(kind)}
              onClick=${() => toggle(kind)}
            >
              <i class=${`dot ${kind}`}></i>${word} <span class="count">${counts.get(kind) ?? 0}</span>
            </button>`,
        )}
    </div>
    <small class="of" role="status">${counted(messages.length, picture.messages.length)}</small>
  </div>`;
}

function counted(shown, all) {
  return shown === all ? `${all} message${all === 1 ? "" : "s"}` : `${shown} of ${all}`;
}

// Why the test has failed: a line, and behind it all that pytest tells.
function Failure({ summary, text }) {
  if (!text) return html`<p class="notice failure">${summary}</p>`;
  return html`<details class="notice failure">
    <summary>${summary}</summary>
    <pre tabindex="0">${text}</pre>
  </details>`;
}

function Logo() {
  return html`<svg class="logo" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
    <path d="M3 7h7M3 17h4M14 7h3" />
    <rect x="10" y="4" width="4" height="6" rx="1.5" />
    <rect x="7" y="14" width="4" height="6" rx="1.5" />
    <path class="logo-now" d="M19 3v18" />
  </svg>`;
}
