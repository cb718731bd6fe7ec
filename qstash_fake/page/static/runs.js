// Workflows: the runs, where each stands, its steps, and the lanes of its messages.
import { html, useMemo, useState } from "./vendor/htm-preact.js";
import { Text } from "./detail.js";
import { Lanes } from "./lanes.js";
import { shortId } from "./model.js";
import { Act } from "./table.js";
import { moment } from "./time.js";

const STATES = {
  RUN_STARTED: ["active", "running"],
  RUN_SUCCESS: ["delivered", "returned"],
  RUN_FAILED: ["failed", "failed"],
  RUN_CANCELED: ["canceled", "cancelled"],
};
const OF_STEPS = {
  STEP_SUCCESS: ["delivered", "done"],
  STEP_PROGRESS: ["active", "under way"],
  STEP_RETRY: ["retry", "retrying"],
  STEP_FAILED: ["failed", "failed"],
  STEP_CANCELED: ["canceled", "cancelled"],
  // No states of QStash: a step that sleeps is a result already, of which the message is not due yet.
  SLEEPS: ["created", "sleeping"],
  TO_COME: ["created", "to come"],
};

function Word({ of, state }) {
  const [kind, word] = of[state] ?? ["created", state];
  return html`<span class=${`state ${kind}`}>${word}</span>`;
}

export function Runs({ source, picture, open, selected, run, now }) {
  const runs = useMemo(() => [...picture.runs].reverse(), [picture.runs]);
  const [id, setId] = useState(null);
  const chosen = runs.find((one) => one.workflowRunId === id) ?? runs[0];
  const messages = useMemo(
    () => (chosen ? picture.messages.filter((one) => one.run === chosen.workflowRunId) : []),
    [picture.messages, chosen?.workflowRunId],
  );
  if (!chosen) return html`<p class="nothing room">No run of a workflow was started.</p>`;
  const act = Object.assign(
    (name) =>
      run(
        name,
        ...{
          Cancel: ["DELETE", `/v2/workflows/runs/${encodeURIComponent(chosen.workflowRunId)}?cancel=true`],
          Resume: ["POST", `/v2/workflows/dlq/resume/${encodeURIComponent(chosen.dlqId)}`],
          Restart: ["POST", `/v2/workflows/dlq/restart/${encodeURIComponent(chosen.dlqId)}`],
        }[name],
      ),
    { live: source.live },
  );
  const steps = chosen.steps.flatMap((group) =>
    group.steps.map((step) => ({ ...step, beside: group.type === "parallel" })),
  );
  const waiting = new Set(messages.filter((one) => one.state === "CREATED" && !one.attempts).map((one) => one.id));
  const isDead = chosen.dlqId && Object.values(picture.dead).includes(chosen.dlqId);
  return html`<div class="runs">
    <nav aria-label="Runs">
      ${runs.map(
        (one) =>
          html`<button
            type="button"
            key=${one.workflowRunId}
            class="run"
            aria-current=${one === chosen ? "true" : undefined}
            onClick=${() => setId(one.workflowRunId)}
          >
            <${Word} of=${STATES} state=${one.workflowState} /><b
              >${one.workflowUrl.replace(/^https?:\/\/[^/]*/, "") || "/"}</b
            ><small>${shortId(one.workflowRunId)} · ${one.standing}</small>
          </button>`,
      )}
      ${picture.runs_left_out > 0 && html`<p class="nothing">${picture.runs_left_out} older runs are left out.</p>`}
    </nav>
    <div class="run-room" tabindex="0" role="region" aria-label="The run">
      <header>
        <h2>${chosen.workflowUrl}</h2>
        <p class="facts">
          <${Word} of=${STATES} state=${chosen.workflowState} /> ${textOf(chosen)} ·${" "}
          <code>${chosen.workflowRunId}</code>
        </p>
        <p class="acts">
          ${chosen.workflowState === "RUN_STARTED" && html`<${Act} act=${act} name="Cancel" on="the run" danger />`}
          ${
            isDead &&
            html`<${Act} act=${act} name="Resume" on="the run" />
              <${Act} act=${act} name="Restart" on="the run" />`
          }
        </p>
      </header>
      <div class="run-lanes" style=${{ height: `${Math.min(messages.length, 9) * 40 + 78}px` }}>
        <${Lanes}
          key=${chosen.workflowRunId}
          picture=${picture}
          messages=${messages}
          now=${now}
          selected=${selected}
          onSelect=${open}
          ended=${Boolean(chosen.workflowRunCompletedAt) && messages.every((one) => one.finished)}
          label="Messages of the run"
        />
      </div>
      <h3>Steps</h3>
      <ol class="steps">
        ${steps.map(
          (step, index) =>
            html`<li key=${index}>
              <details>
                <summary>
                  <${Word} of=${OF_STEPS} state=${stateOf(step, waiting)} /> <b>${step.stepName ?? "next"}</b>${" "}
                  <small>${besideOf(step)}</small>
                </summary>
                <${Text} text=${step.out ?? step.callBody ?? ""} />
                ${(step.errors ?? []).map(
                  (error, at) =>
                    html`<p key=${at} class="problem">${error.error} (${moment(error.time)})</p>`,
                )}
              </details>
            </li>`,
        )}
      </ol>
    </div>
  </div>`;
}

// The state of *step*, or what its message does if it is *waiting* for its first attempt.
function stateOf({ state, messageId, stepName, stepType = "" }, waiting) {
  if (!waiting.has(messageId)) return state;
  if (stepType.startsWith("Sleep")) return "SLEEPS";
  return stepName === undefined ? "TO_COME" : state;
}

function textOf({ standing, workflowRunCreatedAt, workflowRunCompletedAt }) {
  const ended = workflowRunCompletedAt && `ended ${moment(workflowRunCompletedAt)}`;
  return [standing, `started ${moment(workflowRunCreatedAt)}`, ended].filter(Boolean).join(" · ");
}

function besideOf({ stepType, beside, callUrl, waitEventId, createdAt }) {
  const parts = [stepType, beside && "beside others", callUrl, waitEventId && `event ${waitEventId}`];
  return [...parts, createdAt && moment(createdAt)].filter(Boolean).join(" · ");
}
