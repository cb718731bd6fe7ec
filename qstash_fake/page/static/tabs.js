// The tables: messages, queues and keys, schedules, groups, dead letters, and the log as text.
import { html, useEffect, useState } from "./vendor/htm-preact.js";
import { partsOf, shortId, wordOf } from "./model.js";
import { Act, Attempts, State, Table } from "./table.js";
import { moment, relative } from "./time.js";

const path = encodeURIComponent;

function Open({ message, open }) {
  const { host, path: rest } = partsOf(message.url);
  return html`<button type="button" class="link" onClick=${() => open(message.id)} title=${message.url}>
    <b>${message.method}</b> <span>${rest}</span> <small>${host}</small>
  </button>`;
}

// Return a function that asks for a call and shows what came of it, marked with whether anything can be asked.
function acts(source, run, calls) {
  return Object.assign((name) => run(name, ...calls[name]), { live: source.live });
}

export function Messages({ source, picture, messages, open, selected, run, now }) {
  return html`<${Table}
    wide
    label="Messages"
    nothing="No message matches."
    rows=${messages}
    keyOf=${(one) => one.id}
    selected=${selected}
    columns=${[
      ["State", (one) => html`<${State} message=${one} held=${picture.held} />`],
      ["Destination", (one) => html`<${Open} message=${one} open=${open} />`],
      ["Attempts", (one) => html`<${Attempts} attempts=${one.attempts} />`],
      [
        "When",
        (one) =>
          html`<span title=${moment(one.due)}
            >${one.finished ? moment(one.finished).slice(11) : relative(one.due, now)}</span
          >`,
      ],
      [
        "Waits at",
        (one) =>
          picture.held[one.id] ??
          [one.queue && `queue ${one.queue}`, one.key && `key ${one.key}`].filter(Boolean).join(", "),
      ],
      ["Body", (one) => html`<code>${one.body ?? ""}</code>`],
      ["Id", (one) => html`<code title=${one.id}>${shortId(one.id)}</code>`],
      [
        "",
        (one) => {
          const act = acts(source, run, {
            Deliver: ["POST", "/_fake/deliver", { message: one.id }],
            Cancel: ["DELETE", `/v2/messages/${path(one.id)}`],
          });
          return (
            !one.finished &&
            html`<span class="acts"
              ><${Act}
                act=${act}
                name="Deliver"
                on=${one.id}
                disabled=${Boolean(picture.fixed_clock)}
                why=${picture.fixed_clock} /><${Act} act=${act} name="Cancel" on=${one.id} danger
            /></span>`
          );
        },
      ],
    ]}
  />`;
}

// How many messages of this queue or key are held, by the reason.
function Held({ picture, field, name }) {
  const counts = new Map();
  for (const message of picture.messages) {
    const why = message[field] === name && picture.held[message.id];
    if (why) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].map(([why, count]) => `${count}: ${why}`).join("; ") || "nothing";
}

export function Gates({ source, picture, run }) {
  return html`<div class="stack">
    <h2>Queues</h2>
    <${Table}
      label="Queues"
      nothing="No queue was made or used."
      rows=${picture.queues}
      keyOf=${(one) => one.name}
      columns=${[
        ["Queue", (one) => html`<b>${one.name}</b>`],
        ["Parallelism", (one) => one.parallelism],
        ["Lag", (one) => one.lag],
        ["Holds back", (one) => html`<${Held} picture=${picture} field="queue" name=${one.name} />`],
        [
          "",
          (one) => {
            const at = `/v2/queues/${path(one.name)}`;
            const act = acts(source, run, {
              Pause: ["POST", `${at}/pause`],
              Resume: ["POST", `${at}/resume`],
              Delete: ["DELETE", at],
            });
            return html`<span class="acts"
              ><${Act} act=${act} name=${one.paused ? "Resume" : "Pause"} on=${`queue ${one.name}`} /><${Act}
                act=${act}
                name="Delete"
                on=${`queue ${one.name}`}
                danger
            /></span>`;
          },
        ],
      ]}
    />
    <h2>Flow-control keys</h2>
    <${Table}
      label="Flow-control keys"
      nothing="No message names a key."
      rows=${picture.flow_control}
      keyOf=${(one) => one.flowControlKey}
      columns=${[
        ["Key", (one) => html`<b>${one.flowControlKey}</b>`],
        [
          "Parallelism",
          (one) => (one.parallelismMax ? `${one.parallelismCount} of ${one.parallelismMax}` : "no limit"),
        ],
        ["Rate", (one) => (one.rateMax ? `${one.rateCount} of ${one.rateMax} in ${one.ratePeriod}s` : "no limit")],
        [
          "Pinned",
          (one) =>
            [one.isPinnedParallelism && "parallelism", one.isPinnedRate && "rate"].filter(Boolean).join(", ") ||
            "no",
        ],
        ["Holds back", (one) => html`<${Held} picture=${picture} field="key" name=${one.flowControlKey} />`],
        [
          "",
          (one) => {
            const at = `/v2/flowControl/${path(one.flowControlKey)}`;
            const act = acts(source, run, {
              Pause: ["POST", `${at}/pause`],
              Resume: ["POST", `${at}/resume`],
              "Reset rate": ["POST", `${at}/resetRate`],
              Unpin: ["POST", `${at}/unpin?parallelism=true&rate=true`],
            });
            const on = `key ${one.flowControlKey}`;
            return html`<span class="acts"
              ><${Act} act=${act} name=${one.isPaused ? "Resume" : "Pause"} on=${on} /><${Act}
                act=${act}
                name="Reset rate"
                on=${on} /><${Act}
                act=${act}
                name="Unpin"
                on=${on}
                disabled=${!one.isPinnedParallelism && !one.isPinnedRate}
                why="nothing of it is pinned"
            /></span>`;
          },
        ],
      ]}
    />
    <h2>URL groups</h2>
    <${Table}
      label="URL groups"
      nothing="No URL group was made."
      rows=${picture.url_groups}
      keyOf=${(one) => one.name}
      columns=${[
        ["Group", (one) => html`<b>${one.name}</b>`],
        ["Endpoints", (one) => one.endpoints.map((to) => (to.name ? `${to.name}: ${to.url}` : to.url)).join(", ")],
        [
          "",
          (one) =>
            html`<span class="acts"
              ><${Act}
                act=${acts(source, run, { Delete: ["DELETE", `/v2/topics/${path(one.name)}`] })}
                name="Delete"
                on=${`group ${one.name}`}
                danger
            /></span>`,
        ],
      ]}
    />
  </div>`;
}

export function Schedules({ source, picture, run, now }) {
  return html`<${Table}
    label="Schedules"
    nothing="No schedule was made."
    rows=${picture.schedules}
    keyOf=${(one) => one.scheduleId}
    columns=${[
      ["Schedule", (one) => html`<b>${one.scheduleId}</b>`],
      ["Cron", (one) => html`<code>${one.cron}</code>`],
      ["Destination", (one) => html`${one.method} ${one.destination}`],
      [
        "Next ticks",
        (one) =>
          one.isPaused
            ? "paused"
            : (one.ticks ?? []).map(
                (at, index) =>
                  html`<span class="tick" title=${relative(at, now)}
                    >${index ? moment(at).slice(5, 16) : moment(at)}</span
                  >`,
              ),
      ],
      [
        "Last",
        (one) =>
          one.error
            ? html`<span class="state failed">${one.error}</span>`
            : [moment(one.lastScheduleTime), ...Object.values(one.lastScheduleStates ?? {})].join(" "),
      ],
      [
        "",
        (one) => {
          const at = `/v2/schedules/${path(one.scheduleId)}`;
          const act = acts(source, run, {
            Trigger: ["POST", "/_fake/trigger", { schedule: one.scheduleId }],
            Pause: ["POST", `${at}/pause`],
            Resume: ["POST", `${at}/resume`],
            Delete: ["DELETE", at],
          });
          const on = `schedule ${one.scheduleId}`;
          return html`<span class="acts"
            ><${Act} act=${act} name="Trigger" on=${on} /><${Act}
              act=${act}
              name=${one.isPaused ? "Resume" : "Pause"}
              on=${on} /><${Act} act=${act} name="Delete" on=${on} danger
          /></span>`;
        },
      ],
    ]}
  />`;
}

export function DeadLetters({ source, picture, open, run }) {
  const rows = picture.messages.filter((one) => picture.dead[one.id]);
  const all = acts(source, run, { "Redrive all": ["POST", "/v2/dlq/retry", {}] });
  return html`<div class="stack">
    ${rows.length > 1 && html`<p class="acts"><${Act} act=${all} name="Redrive all" on="dead letters" /></p>`}
    <${Table}
      label="Dead letters"
      nothing="No message has failed for good."
      rows=${rows}
      keyOf=${(one) => one.id}
      columns=${[
        ["Destination", (one) => html`<${Open} message=${one} open=${open} />`],
        [
          "Last answer",
          (one) =>
            html`<span class="state failed">${one.attempts?.length ? wordOf(one.attempts.at(-1)) : "none"}</span>`,
        ],
        ["Failed", (one) => moment(one.finished)],
        ["Dead letter", (one) => html`<code>${picture.dead[one.id]}</code>`],
        [
          "",
          (one) => {
            const id = path(picture.dead[one.id]);
            const act = acts(source, run, {
              Redrive: ["POST", `/v2/dlq/retry/${id}`],
              Delete: ["DELETE", `/v2/dlq/${id}`],
            });
            return html`<span class="acts"
              ><${Act} act=${act} name="Redrive" on=${picture.dead[one.id]} /><${Act}
                act=${act}
                name="Delete"
                on=${picture.dead[one.id]}
                danger
            /></span>`;
          },
        ],
      ]}
    />
  </div>`;
}

export function Log({ source, picture }) {
  const [text, setText] = useState("");
  useEffect(() => {
    let gone = false;
    source.timeline().then(
      (found) => gone || setText(found),
      (error) => gone || setText(error.message),
    );
    return () => {
      gone = true;
    };
  }, [picture.place, picture.now]);
  return html`<pre class="log" tabindex="0" role="region" aria-label="What happened, as text">${text}</pre>`;
}
