// All there is to know of one message. Everything of a message is text here, whatever it looks like.
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { endOf, outcomeOf, shortId, wordOf } from "./model.js";
import { Act, State } from "./table.js";
import { duration, moment, relative } from "./time.js";

const LONG = 100_000; // characters: a browser takes seconds for a text of some megabytes

export function Detail({ source, picture, id, open, close, run, now }) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  const heading = useRef(null);
  const row = picture.messages.find((one) => one.id === id);
  useEffect(() => {
    let gone = false;
    setProblem("");
    source.detail(id).then(
      (detail) => gone || setFound(detail),
      (error) => gone || setProblem(error.message),
    );
    return () => {
      gone = true;
    };
  }, [id, row]);
  useEffect(() => heading.current?.focus(), [id]);
  const keys = (event) => event.key === "Escape" && close();
  const detail = found?.messageId === id ? found : null;
  const links = row
    ? [row.source, ...picture.messages.filter((one) => one.source === id).map((one) => one.id)].filter(Boolean)
    : [];
  const act = Object.assign(
    (name) =>
      run(
        name,
        ...{
          Deliver: ["POST", "/_fake/deliver", { message: id }],
          "Deliver until it ends": ["POST", "/_fake/advance-until", { message: id }],
          Cancel: ["DELETE", `/v2/messages/${encodeURIComponent(id)}`],
          Redrive: ["POST", `/v2/dlq/retry/${encodeURIComponent(picture.dead[id])}`],
        }[name],
      ),
    { live: source.live },
  );
  const verb = { disabled: Boolean(picture.fixed_clock), why: picture.fixed_clock };
  return html`<aside class="detail" aria-label="The message" onKeyDown=${keys}>
    <header>
      <h2 ref=${heading} tabindex="-1">${row ? html`${row.method} <span>${row.url}</span>` : shortId(id)}</h2>
      <button type="button" class="quiet" onClick=${close} aria-label="Close the message" title="Close (Esc)">
        ✕
      </button>
    </header>
    <div class="detail-body" tabindex="0" role="region" aria-label="Details">
      ${!row && html`<p class="nothing">This message is no longer there.</p>`}
      ${
        row &&
        html`<p class="facts">
            <${State} message=${row} held=${picture.held} />${" "}
            ${picture.held[id] ?? (row.finished ? moment(row.finished) : `due ${relative(row.due, now)}`)}
          </p>
          <p class="acts">
            ${
              !row.finished &&
              html`<${Act} act=${act} name="Deliver" on="it now" ...${verb} />
                <${Act} act=${act} name="Deliver until it ends" on="" ...${verb} />
                <${Act} act=${act} name="Cancel" on="it" danger />`
            }
            ${picture.dead[id] && html`<${Act} act=${act} name="Redrive" on="it" />`}
          </p>`
      }
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      ${
        detail &&
        row &&
        html`<${Facts} detail=${detail} row=${row} picture=${picture} />
          ${
            links.length > 0 &&
            html`<h3>Belongs together</h3>
              <ul class="links">
                ${links.map(
                  (one) =>
                    html`<li key=${one}>
                      <button type="button" class="link" onClick=${() => open(one)}>
                        ${one === row.source ? "made by " : "led to "}<span>${urlOf(picture, one)}</span>
                      </button>
                    </li>`,
                )}
              </ul>`
          }
          <h3>Attempts</h3>
          ${
            detail.attempts.length === 0
              ? html`<p class="nothing">No attempt was made yet.</p>`
              : html`<ol class="attempts">
                  ${detail.attempts.map((one, index) => html`<${Attempt} key=${index} attempt=${one} now=${now} />`)}
                </ol>`
          }
          <h3>Body <small>${detail.bytes} bytes</small></h3>
          <${Text} key=${id} text=${detail.body ?? detail.bodyBase64 ?? ""} base64=${detail.bodyBase64 !== undefined} />
          <h3>Headers</h3>
          <${Headers} header=${detail.header} nothing="None was forwarded." />`
      }
    </div>
  </aside>`;
}

function urlOf(picture, id) {
  const message = picture.messages.find((one) => one.id === id);
  return message ? message.url : shortId(id);
}

function Facts({ detail, row, picture }) {
  const facts = [
    ["Id", detail.messageId],
    ["Created", moment(row.created)],
    [
      "First due",
      row.first_due > row.created
        ? `${moment(row.first_due)}, ${duration(row.first_due - row.created)} later`
        : null,
    ],
    ["Retries", String(row.retries)],
    ["Retry delay", detail.retryDelayExpression && `${detail.retryDelayExpression}, in milliseconds`],
    ["Queue", row.queue],
    ["Flow control", row.key],
    ["URL group", row.group],
    ["Schedule", row.schedule],
    ["Labels", row.labels?.join(", ")],
    ["Deduplication id", detail.deduplicationId],
    ["Callback", detail.callback],
    ["Failure callback", detail.failureCallback],
    ["Workflow run", row.run && `${row.part}`],
    ["Dead letter", picture.dead[row.id]],
    ["Caller", detail.callerIP],
  ].filter(([, value]) => value);
  return html`<dl class="grid-list">
    ${facts.map(
      ([name, value]) =>
        html`<dt key=${name}>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

function Attempt({ attempt, now }) {
  const kind = outcomeOf(attempt);
  return html`<li>
    <details open=${kind === "bad"}>
      <summary>
        <span class=${`chip ${kind}`}>${wordOf(attempt)}</span> ${moment(attempt.at)}${" "}
        <small>${besideOf(attempt, now)}</small>
      </summary>
      ${attempt.error && html`<p class="problem">${attempt.error}</p>`}
      ${
        attempt.status > 0 &&
        attempt.body !== undefined &&
        html`<h4>Answer</h4>
          <${Text} text=${attempt.body} /><${Headers} header=${attempt.header} nothing="It had no headers." />`
      }
      <details class="claims">
        <summary>What its signature says</summary>
        <dl class="grid-list">
          ${Object.entries(attempt.claims).map(
            ([name, value]) =>
              html`<dt key=${name}>${name}</dt>
                <dd>${String(value)}${["iat", "exp"].includes(name) ? ` (${moment(value * 1000)})` : ""}</dd>`,
          )}
        </dl>
      </details>
    </details>
  </li>`;
}

// How long an attempt took, how long a gate held it, and what the application raised.
function besideOf(attempt, now) {
  const { at, due, took, raised } = attempt;
  return [
    took === undefined ? `for ${duration(endOf(attempt, now) - at)}` : `took ${duration(took)}`,
    at > due && `held for ${duration(at - due)}`,
    raised && `raised ${raised}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function Headers({ header = {}, nothing }) {
  const pairs = Object.entries(header).flatMap(([name, values]) => values.map((value) => [name, value]));
  return pairs.length === 0
    ? html`<p class="nothing">${nothing}</p>`
    : html`<dl class="grid-list mono">
        ${pairs.map(
          ([name, value], index) =>
            html`<dt key=${`${name}${index}`}>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>`;
}

// A body as text, JSON with line breaks where that is what it is.
export function Text({ text, base64 }) {
  const [raw, setRaw] = useState(false);
  const [isWhole, setWhole] = useState(false);
  const isCut = text.length > LONG && !isWhole;
  let pretty = null;
  if (!isCut && /^\s*[[{]/.test(text)) {
    try {
      pretty = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // no JSON: shown as it is
    }
  }
  if (text === "") return html`<p class="nothing">Empty.</p>`;
  return html`<div class="text">
    ${base64 && html`<p class="nothing">No UTF-8, in Base64:</p>`}
    ${
      isCut &&
      html`<button type="button" class="small" onClick=${() => setWhole(true)}>
        Show all ${text.length} characters
      </button>`
    }
    ${
      pretty !== null &&
      pretty !== text &&
      html`<button type="button" class="small" aria-pressed=${raw} onClick=${() => setRaw(!raw)}>
        As it was sent
      </button>`
    }
    <pre tabindex="0">${isCut ? `${text.slice(0, LONG)}…` : raw || pretty === null ? text : pretty}</pre>
  </div>`;
}
