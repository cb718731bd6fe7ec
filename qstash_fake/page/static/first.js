// What is shown before there is anything to show: the first step, and the question for a token.
import { html, useEffect, useState } from "./vendor/htm-preact.js";

// The token of QStash's own development server, which is public. A server that was started without a token takes any.
const DEV_TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=";

const CALL = `curl -X POST "$QSTASH_URL/v2/publish/http://127.0.0.1:3000/jobs/invoice" \\
  -H "Authorization: Bearer $QSTASH_TOKEN" -H "Upstash-Delay: 5m" \\
  -H "Content-Type: application/json" -d '{"order": 7}'`;

export function Empty({ source, control }) {
  const [keys, setKeys] = useState({ current: "…", next: "…" });
  useEffect(() => {
    source
      .request("GET", "/v2/keys")
      .then((answer) => answer.json())
      .then(setKeys, () => {});
  }, [source]);
  const token = source.hasToken ? "<the token you gave>" : DEV_TOKEN;
  const variables = [
    ["URL", source.url],
    ["TOKEN", token],
    ["CURRENT_SIGNING_KEY", keys.current],
    ["NEXT_SIGNING_KEY", keys.next],
  ];
  return html`<div class="empty room" tabindex="0" role="region" aria-label="The first step">
    <h2>Nothing was published yet</h2>
    <p>1. Give these four variables to your application, and to a shell:</p>
    <pre tabindex="0">${variables.map(([name, value]) => `export QSTASH_${name}='${value}'`).join("\n")}</pre>
    <p>2. Publish, from the application or from the shell:</p>
    <pre tabindex="0">${CALL}</pre>
    <p>
      3. See it here at once; where the clock is virtual, <b>Next</b> delivers it. Or${" "}
      <button type="button" class="main" onClick=${control}>publish by hand</button>
    </p>
  </div>`;
}

export function TokenDialog({ source }) {
  const [token, setToken] = useState("");
  const send = (event) => {
    event.preventDefault();
    source.useToken(token.trim());
  };
  return html`<main class="ask">
    <form onSubmit=${send}>
      <h1>This server asks for a token</h1>
      <p>
        Give a token that the server was started with: <code>--token</code> or <code>--read-only-token</code>. It
        stays in this tab and ends with it.
      </p>
      ${source.hasToken && html`<p class="problem" role="alert">The token that you gave is not let in.</p>`}
      <label
        ><span>Token</span
        ><input
          type="password"
          value=${token}
          required
          autocomplete="off"
          autofocus
          onInput=${(event) => setToken(event.currentTarget.value)}
      /></label>
      <button type="submit" class="main">Continue</button>
    </form>
  </main>`;
}

export function Refused({ why }) {
  return html`<main class="ask">
    <h1>The server refuses this page</h1>
    <p class="problem" role="alert">${why}</p>
  </main>`;
}
