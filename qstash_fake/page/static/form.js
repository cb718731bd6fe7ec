// How a form is shown, what becomes of its answer, and the verbs beside the clock.
import { html, useState } from "./vendor/htm-preact.js";
import { FORMS } from "./forms.js";
import { duration } from "./time.js";

export function Forms({ picture, run }) {
  return html`<div class="forms">
    ${FORMS.map(
      ([group, forms]) =>
        html`<section key=${group} aria-label=${group}>
          <h2>${group}</h2>
          ${group === "The clock" && picture.fixed_clock && html`<p class="notice">${picture.fixed_clock}</p>`}
          <div class="forms-grid">
            ${forms.map((form) => html`<${Form} key=${form.title} form=${form} picture=${picture} run=${run} />`)}
          </div>
        </section>`,
    )}
  </div>`;
}

export function Form({ form, picture, run }) {
  const [values, setValues] = useState(() =>
    Object.fromEntries(form.fields.map(([name, , how]) => [name, how.start ?? how.choices?.[0] ?? ""])),
  );
  const [answer, setAnswer] = useState(null);
  const [sure, setSure] = useState(false);
  const id = useFormId();
  const send = async (event) => {
    event.preventDefault();
    if (form.careful && !sure) return setSure(true);
    setSure(false);
    let call;
    try {
      call = form.send(values);
    } catch (error) {
      return setAnswer({ error: error.message });
    }
    return setAnswer(await run(form.title, ...call));
  };
  return html`<form class=${`form${form.wide ? " wide" : ""}`} onSubmit=${send} aria-labelledby=${`${id}-title`}>
    <h3 id=${`${id}-title`}>${form.title}</h3>
    ${form.help && html`<p>${form.help}</p>`}
    <div class="fields">
      ${form.fields.map(
        ([name, label, how]) =>
          html`<label key=${name} class=${how.lines ? "long" : ""}>
            <span>${label}</span>${field(name, how, values[name], (value) => setValues({ ...values, [name]: value }))}
          </label>`,
      )}
    </div>
    <div class="form-end">
      <button
        type="submit"
        class=${form.careful ? "danger" : "main"}
        disabled=${form.clock && Boolean(picture.fixed_clock)}
      >
        ${sure ? "Yes, forget everything" : form.title}
      </button>
      ${sure && html`<button type="button" onClick=${() => setSure(false)}>No</button>`}
    </div>
    ${answer && html`<pre class=${`answer${answer.error ? " problem" : ""}`} tabindex="0">${inWords(answer)}</pre>`}
  </form>`;
}

function inWords(answer) {
  const text = JSON.stringify(answer, null, 2);
  return answer.error ?? answer.summary ?? (text === "{}" ? "done" : text);
}

function field(name, how, value, set) {
  const common = {
    name,
    value,
    required: how.needed,
    placeholder: how.placeholder,
    onInput: (event) => set(event.currentTarget.value),
  };
  if (how.choices)
    return html`<select name=${name} value=${value} onChange=${(event) => set(event.currentTarget.value)}>
      ${how.choices.map((one) => html`<option key=${one} value=${one}>${one || "nothing of these"}</option>`)}
    </select>`;
  if (how.lines) return html`<textarea ...${common} rows=${how.lines} spellcheck="false"></textarea>`;
  return html`<input
    ...${common}
    type=${how.kind ?? "text"}
    min=${how.kind ? "0" : undefined}
    autocomplete="off"
    spellcheck="false"
  />`;
}

let made = 0;
function useFormId() {
  return useState(() => `form-${(made += 1)}`)[0];
}

// The verbs that are used all the time, beside the clock.
export function Verbs({ picture, run, now }) {
  const [by, setBy] = useState("5m");
  const fixed = picture.fixed_clock;
  const [busy, setBusy] = useState(false);
  const go = async (name, ...call) => {
    setBusy(true);
    await run(name, ...call);
    setBusy(false);
  };
  const button = (name, call, title) =>
    html`<button
      type="button"
      disabled=${Boolean(fixed) || busy}
      title=${fixed ?? title}
      onClick=${() => go(name, ...call)}
    >
      ${name}
    </button>`;
  const next = picture.next_due ? `to the next event, in ${duration(picture.next_due - now)}` : "nothing is to come";
  return html`<div class="verbs" role="group" aria-label="The clock">
    ${button("Next", ["POST", "/_fake/advance-to-next"], next)}
    <form
      class="by"
      onSubmit=${(event) => {
        event.preventDefault();
        go("Advance", "POST", "/_fake/advance", { duration: by });
      }}
    >
      <button
        type="submit"
        disabled=${Boolean(fixed) || busy}
        title=${fixed ?? "move the clock, delivering on the way"}
      >
        Advance
      </button>
      <input
        aria-label="Advance by"
        value=${by}
        list="durations"
        size="5"
        disabled=${Boolean(fixed)}
        onInput=${(event) => setBy(event.currentTarget.value)}
      />
      <datalist id="durations">
        ${["1s", "1m", "5m", "1h", "1d", "7d"].map((one) => html`<option key=${one} value=${one} />`)}
      </datalist>
    </form>
    ${button("Deliver due", ["POST", "/_fake/deliver-due"], "deliver what is due now; the clock stands still")}
    ${button("Drain", ["POST", "/_fake/drain", {}], "deliver until nothing is left")}
  </div>`;
}
