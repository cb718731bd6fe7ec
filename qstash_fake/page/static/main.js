// The start: the data stands in the document, or a server is asked for it again and again.
import { html, render } from "./vendor/htm-preact.js";
import { App } from "./app.js";
import { Live, Saved } from "./source.js";

const saved = document.getElementById("data");
const source = saved ? new Saved(JSON.parse(saved.textContent)) : new Live(location.origin, sessionStorage);
render(html`<${App} source=${source} />`, document.getElementById("page"));
source.start();
