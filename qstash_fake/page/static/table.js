// A table of any number of rows: those out of sight are two rows of their height. And the small parts of its cells.
import { html } from "./vendor/htm-preact.js";
import { WORDS, outcomeOf, wordOf } from "./model.js";
import { useWindow } from "./rows.js";

const HEIGHT = 41;
const UNSEEN = html`<span class="unseen">what can be done</span>`;

// *columns* are pairs of a heading and what makes a cell of a row; *nothing* is said where there are no rows.
export function Table({ label, columns, rows, keyOf, nothing, selected, wide }) {
  const { ref, first, end } = useWindow(rows.length, HEIGHT);
  return html`<div
    class=${`table-room${wide ? " wide" : ""}`}
    ref=${ref}
    role="region"
    aria-label=${label}
    tabindex="0"
  >
    ${
      rows.length === 0
        ? html`<p class="nothing">${nothing}</p>`
        : html`<table aria-rowcount=${rows.length + 1}>
            <thead>
              <tr aria-rowindex="1">
                ${columns.map(([name]) => html`<th key=${name} scope="col">${name || UNSEEN}</th>`)}
              </tr>
            </thead>
            <tbody>
              ${
                first > 0 &&
                html`<tr class="gap" aria-hidden="true">
                  <td colspan=${columns.length} style=${{ height: `${first * HEIGHT}px` }}></td>
                </tr>`
              }
              ${rows.slice(first, end).map(
                (row, index) =>
                  html`<tr
                    key=${keyOf(row)}
                    aria-rowindex=${first + index + 2}
                    class=${keyOf(row) === selected ? "selected" : ""}
                  >
                    ${columns.map(([name, cell]) => html`<td key=${name}>${cell(row)}</td>`)}
                  </tr>`,
              )}
              ${
                end < rows.length &&
                html`<tr class="gap" aria-hidden="true">
                  <td colspan=${columns.length} style=${{ height: `${(rows.length - end) * HEIGHT}px` }}></td>
                </tr>`
              }
            </tbody>
          </table>`
    }
  </div>`;
}

export function State({ message, held }) {
  const why = held?.[message.id];
  return html`<span class=${`state ${why ? "held" : message.state.toLowerCase()}`} title=${why ?? message.state}
    >${why ? "held" : WORDS[message.state]}</span
  >`;
}

export function Attempts({ attempts = [] }) {
  const shown = attempts.slice(-5);
  return html`<span class="chips"
    >${attempts.length > shown.length && html`<span class="chip">+${attempts.length - shown.length}</span>`}
    ${shown.map((one, index) => html`<span key=${index} class=${`chip ${outcomeOf(one)}`}>${wordOf(one)}</span>`)}</span
  >`;
}

// A button that does something to one row; nothing in a saved report.
export function Act({ act, name, on, disabled, why, danger }) {
  return (
    act.live &&
    html`<button
      type="button"
      class=${`small${danger ? " danger" : ""}`}
      aria-label=${`${name} ${on}`}
      disabled=${disabled}
      title=${disabled ? why : undefined}
      onClick=${(event) => {
        event.stopPropagation();
        act(name);
      }}
    >
      ${name}
    </button>`
  );
}
