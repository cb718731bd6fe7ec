// The official TypeScript SDK of Upstash Workflow against a server with a virtual clock. Each step is a claim; the first
// one that does not hold ends the run. The counts of calls of an endpoint are those of the production service.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Client, WorkflowNonRetryableError, WorkflowRetryAfterError } from "@upstash/workflow";
import { serve, serveMany, createWorkflow } from "@upstash/workflow/hono";

const base = process.env.QSTASH_URL;
const bearer = { Authorization: `Bearer ${process.env.QSTASH_TOKEN}` };
const env = { QSTASH_URL: base, QSTASH_TOKEN: process.env.QSTASH_TOKEN };
const client = new Client({ baseUrl: base, token: process.env.QSTASH_TOKEN });

async function api(path, method = "POST", body = undefined, headers = {}) {
  const response = await fetch(`${base}${path}`, { method, headers: { ...bearer, ...headers }, body });
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { json = text; }
  return { status: response.status, json };
}

async function control(operation, given, method = "POST") {
  const { status, json } = await api(`/_fake/${operation}`, method, given && JSON.stringify(given));
  assert.equal(status, 200, JSON.stringify(json));
  return json;
}

// --- endpoints: a workflow, or a plain function, by path ------------------------------------------------------------

const calls = {}; // how often each path was called
const seen = {}; // what a workflow has noted, by path
const endpoints = {};

function note(path, value) {
  (seen[path] ??= []).push(value);
}

function workflow(path, route, options = {}) {
  endpoints[path] = serve(route, options);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const path = request.url.split("?")[0];
  calls[path] = (calls[path] ?? 0) + 1;
  const body = Buffer.concat(chunks);
  const plain = new Request(`http://${request.headers.host}${request.url}`, {
    method: request.method,
    headers: request.headers,
    body: request.method === "GET" || request.method === "HEAD" ? undefined : body,
  });
  const endpoint = endpoints[path] ?? endpoints[path.slice(0, path.lastIndexOf("/")) + "/*"];
  const answer = endpoint
    ? await endpoint({ req: { raw: plain, url: plain.url, header: (name) => plain.headers.get(name) }, env })
    : new Response("nobody here", { status: 404 });
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(Buffer.from(await answer.arrayBuffer()));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const here = `http://127.0.0.1:${server.address().port}`;

async function runOf(workflowRunId) {
  const { runs } = await client.logs({ workflowRunId });
  assert.equal(runs.length, 1, JSON.stringify(runs));
  return runs[0];
}

async function start(path, options = {}) {
  const { workflowRunId } = await client.trigger({ url: `${here}${path}`, ...options });
  return workflowRunId;
}

// --- claims ---------------------------------------------------------------------------------------------------------

workflow("/sequential", async (context) => {
  const one = await context.run("one", () => "r1");
  await context.sleep("nap", 2);
  const { status, body } = await context.call("ask", { url: `${here}/third`, method: "POST", body: "q" });
  note("/sequential", [context.headers.get("X-User"), context.requestPayload, context.label]);
  return { a: one, s: status, body };
});
endpoints["/third"] = () => Response.json({ answer: 42 });

workflow("/parallel", async (context) => {
  const [left] = await Promise.all([context.run("left", () => "L"), context.sleep("right", 1)]);
  return left;
});

workflow("/wait", async (context) => {
  const { eventData, timeout } = await context.waitForEvent("approval", "approved", { timeout: "3d" });
  return { eventData, timeout };
});

workflow("/notifier", async (context) => {
  const { notifyResponse } = await context.notify("tell", "approved", { by: "notifier" });
  return notifyResponse.length;
});

workflow("/fails", async (context) => {
  await context.run("charge", () => { throw new Error("card declined"); });
}, {
  failureFunction: async ({ context, failStatus, failResponse, failHeaders }) => {
    note("/fails", [context.requestPayload, failStatus, failResponse]);
    return "told";
  },
});

workflow("/flaky", async (context) => {
  await context.run("once", () => "ok");
  await context.run("charge", () => { if (!seen.flakyFixed) throw new Error("card declined"); return "paid"; });
  return "done";
});

workflow("/final", async (context) => {
  await context.run("charge", () => { throw new WorkflowNonRetryableError("never"); });
});
workflow("/later", async (context) => {
  await context.run("charge", () => {
    if (context.retried < 1) throw new WorkflowRetryAfterError("later", 90);
    return context.retried;
  });
});
workflow("/no-auth", async () => {});
endpoints["/no-workflow"] = () => Response.json({ hello: "world" });
workflow("/long", async (context) => {
  await context.sleep("long", "30d");
});
workflow("/cancels-itself", async (context) => {
  await context.run("one", () => 1);
  await context.cancel();
});
workflow("/call-fails", async (context) => {
  const { status, body } = await context.call("ask", { url: `${here}/down`, method: "GET", retries: 1 });
  return [status, body];
});
endpoints["/down"] = () => new Response("down", { status: 503 });
workflow("/quota", async (context) => {
  await context.call("ask", { url: `${here}/third`, retries: 1000000 });
});
workflow("/webhook", async (context) => {
  const webhook = await context.createWebhook("make");
  await context.run("tell", () => note("/webhook", webhook.webhookUrl));
  const { request, timeout } = await context.waitForWebhook("wait", webhook, "1d");
  return { method: request.method, url: request.url === webhook.webhookUrl, body: await request.text(), timeout };
});

workflow("/mixed", async (context) => {
  return await Promise.all([
    context.run("left", () => "L"),
    context.call("ask", { url: `${here}/third` }).then(({ status }) => status),
    context.waitForEvent("ready", "ready", { timeout: "1h" }).then(({ timeout }) => timeout),
  ]);
});
workflow("/half", async (context) => {
  await Promise.all([
    context.run("good", () => "ok"),
    context.run("bad", () => { if (!seen.halfFixed) throw new WorkflowNonRetryableError("bad"); return "well"; }),
  ]);
});
workflow("/failure-function-fails", async (context) => {
  await context.run("charge", () => { throw new WorkflowNonRetryableError("never"); });
}, {
  failureFunction: async () => { if (!seen.failureFunctionFixed) throw new Error("not yet"); },
});
workflow("/one-step", async (context) => await context.run("one", () => "secret result"));

workflow("/not-awaited", async (context) => {
  await context.run("one", () => 1);
  context.sleep("nap", 1).catch(() => {}); // or node ends with what the SDK rejects it with
  await context.run("two", () => 2);
  await context.run("three", () => 3);
  context.sleep("another", 1).catch(() => {});
  await context.run("four", () => 4);
  await context.run("five", () => 5);
});
workflow("/calls", async (context) => {
  const statuses = [];
  for (const name of ["one", "two", "three", "four"]) {
    statuses.push((await context.call(name, { url: `${here}/third`, method: "POST", body: "q" })).status);
  }
  await context.sleep("nap", 1);
  statuses.push((await context.call("five", { url: `${here}/once-down`, method: "GET", retries: 1 })).status);
  return statuses;
});
endpoints["/once-down"] = () => new Response("", { status: calls["/once-down"] === 1 ? 503 : 200 });

const child = createWorkflow(async (context) => {
  const twice = await context.run("twice", () => context.requestPayload * 2);
  if (context.headers.get("x-fail")) throw new WorkflowNonRetryableError("child fails");
  return twice;
});
const parent = createWorkflow(async (context) => {
  const headers = context.requestPayload ? { "x-fail": "1" } : {};
  const { body, isFailed, isCanceled } = await context.invoke("ask", { workflow: child, body: 21, headers });
  return { body, isFailed, isCanceled };
});
const slow = createWorkflow(async (context) => await context.sleep("long", "30d"));
const waitsForSlow = createWorkflow(async (context) => {
  return await context.invoke("ask", { workflow: slow, body: 1, workflowRunId: "slow" });
});
const first = createWorkflow(async (context) => {
  await context.run("one", () => 1);
  await context.sleep("nap", 1);
  return "first";
});
const second = createWorkflow(async (context) => {
  await context.run("one", () => 1);
  await context.sleep("nap", 1);
  return "second";
});
const fails = createWorkflow(async (context) => {
  await Promise.all([
    context.invoke("ask first", { workflow: first }),
    context.invoke("ask second", { workflow: second }),
    context.run("charge", () => { throw new WorkflowNonRetryableError("declined"); }),
  ]);
});
endpoints["/many/*"] = serveMany({ child, parent, slow, waitsForSlow, first, second, fails });

const steps = {
  async "a sequential run calls its endpoint five times"() {
    const id = await start("/sequential", {
      body: { p: 1 }, retries: 1, headers: { "X-User": "u" }, label: "lbl", workflowRunId: "demo",
    });
    assert.equal(id, "wfr_demo");
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_SUCCESS", JSON.stringify(run, null, 1));
    assert.equal(calls["/sequential"], 5);
    assert.equal(run.workflowRunResponse, JSON.stringify({ a: "r1", s: 200, body: { answer: 42 } }));
    assert.deepEqual(new Set(seen["/sequential"].map((one) => JSON.stringify(one))), new Set(['["u",{"p":1},"lbl"]']));
    assert.deepEqual(run.steps.map(({ type, steps }) => [type, ...steps.map((s) => s.stepName)]), [
      ["sequential", "init"], ["sequential", "one"], ["sequential", "nap"], ["sequential", "ask"],
    ]);
    assert.equal(run.label, "lbl");
    assert.equal(run.steps[3].steps[0].callResponseStatus, 200);
  },
  async "steps beside each other: five calls"() {
    const id = await start("/parallel");
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_SUCCESS", JSON.stringify(run, null, 1));
    assert.equal(calls["/parallel"], 5);
    assert.equal(run.steps[1].type, "parallel");
    assert.deepEqual(run.steps[1].steps.map((s) => [s.stepId, s.stepName, s.state]), [
      [1, "left", "STEP_SUCCESS"], [2, "right", "STEP_SUCCESS"],
    ]);
  },
  async "sleeps that nobody awaits: twelve calls"() {
    const id = await start("/not-awaited");
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_SUCCESS", JSON.stringify(run, null, 1));
    assert.equal(calls["/not-awaited"], 12);
  },
  async "five calls, one of them made twice, and a sleep: twelve calls"() {
    const id = await start("/calls");
    await control("drain");
    assert.equal((await runOf(id)).workflowRunResponse, "[200,200,200,200,200]");
    assert.deepEqual([calls["/calls"], calls["/once-down"]], [12, 2]);
  },
  async "a parent that fails leaves its children going: eleven calls"() {
    const id = await start("/many/fails", { retries: 0 });
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_FAILED", JSON.stringify(run, null, 1));
    assert.deepEqual([calls["/many/fails"], calls["/many/first"], calls["/many/second"]], [5, 3, 3]);
    assert.deepEqual(run.steps[1].steps.map((step) => [step.stepName, step.state]), [
      ["ask first", "STEP_SUCCESS"], ["ask second", "STEP_SUCCESS"], ["charge", "STEP_FAILED"],
    ]);
    const children = await Promise.all(run.steps[1].steps.slice(0, 2).map((step) => runOf(step.invokedWorkflowRunId)));
    assert.deepEqual(children.map((one) => one.workflowRunResponse), ['"first"', '"second"']);
  },
  async "an event wakes a run that waits, and a run that waits in vain times out"() {
    const id = await start("/wait");
    await control("deliver-due");
    const waiters = await client.getWaiters({ eventId: "approved" });
    assert.equal(waiters.length, 1);
    assert.equal(waiters[0].url, `${here}/wait`);
    const notified = await client.notify({ eventId: "approved", eventData: { d: 1 } });
    assert.equal(notified[0].workflowRunId, id);
    await control("deliver-due");
    assert.equal((await runOf(id)).workflowRunResponse, JSON.stringify({ eventData: { d: 1 }, timeout: false }));
    assert.equal(calls["/wait"], 2);
    const other = await start("/wait");
    await control("deliver-due");
    await control("advance", { duration: "2d23h" });
    assert.equal((await runOf(other)).workflowState, "RUN_STARTED");
    await control("advance", { duration: "1h" });
    assert.equal((await runOf(other)).workflowRunResponse, JSON.stringify({ timeout: true }));
    assert.deepEqual(await client.notify({ eventId: "approved", eventData: 1 }), []);
  },
  async "a safe notify is kept until the run waits; a workflow notifies another"() {
    const id = await start("/wait");
    const [kept] = await client.notify({ eventId: "approved", eventData: "early", workflowRunId: id });
    assert.equal(kept.messageId, "");
    await control("deliver-due");
    assert.equal((await runOf(id)).workflowRunResponse, JSON.stringify({ eventData: "early", timeout: false }));
    const waits = await start("/wait");
    await control("deliver-due");
    const notifier = await start("/notifier");
    await control("deliver-due");
    assert.equal((await runOf(notifier)).workflowRunResponse, "1");
    assert.match((await runOf(waits)).workflowRunResponse, /notifier/);
  },
  async "a failed step is retried, then the run fails and its failure function is called"() {
    const id = await start("/fails", { body: { p: 2 }, retries: 1 });
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_FAILED", JSON.stringify(run, null, 1));
    assert.equal(calls["/fails"], 3); // two attempts and the failure function
    assert.deepEqual(seen["/fails"], [[{ p: 2 }, 500, "card declined"]]);
    assert.equal(run.failureFunction.state, "CALLBACK_SUCCESS");
    assert.equal(run.steps.at(-1).type, "next");
    assert.equal(run.steps.at(-1).steps[0].state, "STEP_FAILED");
    assert.equal(run.steps.at(-1).steps[0].stepName, "charge");
    assert.equal(run.steps.at(-1).steps[0].errors.length, 2);
    const { messages } = await client.dlq.list({ filter: { workflowRunId: id } });
    assert.equal(messages.length, 1);
    assert.equal(messages[0].failureFunctionState, "CALLBACK_SUCCESS");
  },
  async "a failed run is resumed where it failed, and restarted from its payload"() {
    const id = await start("/flaky", { body: "x", retries: 0 });
    await control("drain");
    assert.equal((await runOf(id)).workflowState, "RUN_FAILED");
    const before = calls["/flaky"];
    seen.flakyFixed = true;
    const { messages } = await client.dlq.list({ filter: { workflowRunId: id } });
    const resumed = await client.dlq.resume({ dlqId: messages[0].dlqId, retries: 2 });
    assert.notEqual(resumed.workflowRunId, id);
    await control("drain");
    const run = await runOf(resumed.workflowRunId);
    assert.equal(run.workflowRunResponse, '"done"');
    assert.equal(calls["/flaky"] - before, 2);
    assert.deepEqual((await client.dlq.list({ filter: { workflowRunId: id } })).messages, []);
    seen.flakyFixed = false;
    const again = await start("/flaky", { body: "y", retries: 0 });
    await control("drain");
    seen.flakyFixed = true;
    const dead = await client.dlq.list({ filter: { workflowRunId: again } });
    const middle = calls["/flaky"];
    const restarted = await client.dlq.restart([dead.messages[0].dlqId]);
    await control("drain");
    assert.equal((await runOf(restarted.workflowRuns?.[0].workflowRunId ?? restarted[0].workflowRunId)).workflowState, "RUN_SUCCESS");
    assert.equal(calls["/flaky"] - middle, 3);
  },
  async "errors that say when, or never, to try again are heard"() {
    const never = await start("/final");
    await control("drain");
    assert.equal((await runOf(never)).workflowState, "RUN_FAILED");
    assert.equal(calls["/final"], 2); // the failure callback finds no failure function
    const id = await start("/later");
    await control("deliver-due");
    await control("advance", { duration: "89s" });
    assert.equal(calls["/later"], 1);
    await control("advance", { duration: "1s" });
    assert.equal((await runOf(id)).workflowState, "RUN_SUCCESS");
    assert.equal(calls["/later"], 3);
  },
  async "a workflow without a step fails, and what is no workflow is detected at once"() {
    const id = await start("/no-auth", { retries: 0 });
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_FAILED");
    assert.equal(run.steps[1].steps[0].errors[0].status, 400);
    assert.equal(calls["/no-auth"], 2); // the attempt and the failure callback
    const other = await start("/no-workflow");
    await control("drain");
    const detected = await runOf(other);
    assert.equal(detected.workflowState, "RUN_FAILED");
    assert.match(detected.steps[1].steps[0].errors[0].error, /^detected a non-workflow destination for trigger\/invoke\. make sure/);
    assert.equal(calls["/no-workflow"], 2); // the failure callback goes to the same place
  },
  async "runs are cancelled by id, by url and by themselves"() {
    const id = await start("/long");
    await control("deliver-due");
    assert.deepEqual(await client.cancel(id), { cancelled: 1 });
    assert.equal((await runOf(id)).workflowState, "RUN_CANCELED");
    assert.deepEqual(await client.cancel([id, "wfr_unknown"]), { cancelled: 0 });
    await start("/long");
    await start("/long");
    assert.deepEqual(await client.cancel({ filter: { workflowUrl: `${here}/long` } }), { cancelled: 2 });
    const own = await start("/cancels-itself");
    await control("drain");
    assert.equal((await runOf(own)).workflowState, "RUN_CANCELED");
    assert.equal(calls["/cancels-itself"], 2);
  },
  async "a call that fails is told once, after its last attempt, and fails nothing"() {
    const id = await start("/call-fails");
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowRunResponse, '[503,"down"]', JSON.stringify(run, null, 1));
    assert.deepEqual([calls["/call-fails"], calls["/down"]], [3, 2]);
    assert.deepEqual((await client.dlq.list({ filter: { workflowRunId: id } })).messages, []);
  },
  async "a quota that is exceeded fails the run at once"() {
    const id = await start("/quota");
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_FAILED");
    assert.equal(run.steps.at(-1).steps[0].errors[0].status, 489);
    assert.deepEqual([calls["/quota"], calls["/third"]], [2, 5]); // with the failure callback; nobody was asked
  },
  async "a webhook is an event of the run that made it, and needs no token"() {
    const id = await start("/webhook");
    await control("deliver-due");
    const [url] = seen["/webhook"];
    assert.equal((await fetch(url, { method: "PUT", body: "hello" })).status, 200);
    await control("deliver-due");
    assert.deepEqual(JSON.parse((await runOf(id)).workflowRunResponse), {
      method: "PUT", url: true, body: "hello", timeout: false,
    });
  },
  async "a run invokes another and gets its result"() {
    const id = await start("/many/parent");
    await control("drain");
    const run = await runOf(id);
    assert.deepEqual(JSON.parse(run.workflowRunResponse), { body: 42, isFailed: false, isCanceled: false });
    assert.equal(calls["/many/parent"], 2);
    assert.equal(calls["/many/child"], 2);
    const [step] = run.steps[1].steps;
    assert.equal(step.stepType, "Invoke");
    const invoked = await runOf(step.invokedWorkflowRunId);
    assert.equal(invoked.invoker.workflowRunId, id);
  },
  async "a run that invokes another hears that it has failed"() {
    const id = await start("/many/parent", { body: "fail" });
    await control("drain");
    assert.deepEqual(JSON.parse((await runOf(id)).workflowRunResponse), { isFailed: true, isCanceled: false });
  },
  async "a run that invokes another hears that it was cancelled"() {
    const id = await start("/many/waitsForSlow");
    await control("deliver-due");
    assert.deepEqual(await client.cancel("wfr_slow"), { cancelled: 1 });
    await control("drain");
    assert.deepEqual(JSON.parse((await runOf(id)).workflowRunResponse), { isFailed: false, isCanceled: true });
  },
  async "a run, a call and a wait beside each other"() {
    const id = await start("/mixed");
    await control("drain");
    assert.equal((await runOf(id)).workflowRunResponse, '["L",200,true]');
    // the start, three plans, three results and the report of the call
    assert.equal(calls["/mixed"], 8);
  },
  async "a branch that fails stands in its group, and is resumed alone"() {
    const id = await start("/half");
    await control("drain");
    const run = await runOf(id);
    assert.equal(run.workflowState, "RUN_FAILED");
    assert.deepEqual(run.steps.map((group) => group.type), ["sequential", "parallel"]);
    assert.deepEqual(run.steps[1].steps.map((step) => [step.stepName, step.state]), [
      ["good", "STEP_SUCCESS"], ["bad", "STEP_FAILED"],
    ]);
    seen.halfFixed = true;
    const { messages } = await client.dlq.list({ filter: { workflowRunId: id } });
    const { workflowRunId } = await client.dlq.resume({ dlqId: messages[0].dlqId });
    const before = calls["/half"];
    await control("drain");
    assert.equal((await runOf(workflowRunId)).workflowState, "RUN_SUCCESS");
    assert.equal(calls["/half"] - before, 2); // the plan of the branch and its result
  },
  async "a failure function that has failed is called again"() {
    const id = await start("/failure-function-fails", { retries: 0 });
    await control("drain");
    const { messages } = await client.dlq.list({ filter: { workflowRunId: id } });
    assert.equal(messages.length, 1);
    assert.equal(messages[0].failureFunctionState, "CALLBACK_FAIL");
    assert.equal(messages[0].failureCallbackInfo.responseStatus, 500);
    seen.failureFunctionFixed = true;
    const again = await client.dlq.retryFailureFunction({ dlqId: messages[0].dlqId });
    assert.equal(again.workflowRunId, id);
    await control("drain");
    assert.equal((await runOf(id)).failureFunction.state, "CALLBACK_SUCCESS");
    assert.equal((await api(`/v2/workflows/dlq/callback/${messages[0].dlqId}`)).status, 400);
    assert.equal((await client.dlq.delete(messages[0].dlqId)).deleted, 1);
  },
  async "a start can wait, is not repeated while it runs, and its id is free afterwards"() {
    await start("/one-step", { workflowRunId: "twice", delay: "1h" });
    await start("/one-step", { workflowRunId: "twice" });
    await control("advance", { duration: "59m" });
    assert.equal(calls["/one-step"], undefined);
    await control("advance", { duration: "1m" });
    assert.equal(calls["/one-step"], 2);
    await start("/one-step", { workflowRunId: "twice" });
    await control("drain");
    const { runs } = await client.logs({ workflowRunId: "wfr_twice" });
    assert.deepEqual(runs.map((run) => run.workflowState), ["RUN_SUCCESS", "RUN_SUCCESS"]);
    assert.notEqual(runs[0].workflowRunCreatedAt, runs[1].workflowRunCreatedAt);
  },
  async "a delivery that comes twice makes no step twice"() {
    const before = calls["/one-step"];
    const id = await start("/one-step");
    await control("duplicate-next", { url: `${here}/one-step` });
    await control("drain");
    assert.equal(calls["/one-step"] - before, 3);
    const run = await runOf(id);
    assert.deepEqual([run.workflowState, run.steps.length], ["RUN_SUCCESS", 2]);
  },
  async "what is redacted is shown as a hash, and delivered as it is"() {
    const id = await start("/one-step", { body: "secret payload", redact: { body: true } });
    await control("drain");
    const run = await runOf(id);
    assert.match(run.steps[0].steps[0].out, /^REDACTED:[0-9a-f]{64}$/);
    assert.match(run.steps[1].steps[0].out, /^REDACTED:[0-9a-f]{64}$/);
    assert.equal(run.workflowState, "RUN_SUCCESS");
  },
  async "a flow-control key of the start counts for every delivery of the run"() {
    const id = await start("/one-step", { flowControl: { key: "one", rate: 1, period: "1m" }, label: ["a", "b"] });
    await control("deliver-due");
    assert.equal((await runOf(id)).workflowState, "RUN_STARTED");
    await control("advance", { duration: "1m" });
    const { runs } = await client.logs({ filter: { flowControlKey: "one" } });
    assert.deepEqual([runs.length, runs[0].workflowState, runs[0].labels], [1, "RUN_SUCCESS", ["a", "b"]]);
  },
  async "the API starts runs as well, with and without knowing the SDK"() {
    const started = await api(`/v2/trigger/${here}/sequential`, "POST", '{"p":1}');
    assert.equal(started.status, 200);
    let before = calls["/sequential"];
    await control("drain");
    assert.equal((await runOf(started.json.workflowRunId)).workflowState, "RUN_SUCCESS");
    assert.equal(calls["/sequential"] - before, 5);
    before = calls["/parallel"];
    const unknown = await api(`/v2/trigger/${here}/parallel`, "POST", '{"p":1}', { "Upstash-Workflow-Unknown-Sdk": "true" });
    await control("drain");
    const run = await runOf(unknown.json.workflowRunId);
    assert.equal(run.workflowState, "RUN_SUCCESS", JSON.stringify(run, null, 1));
    assert.equal(calls["/parallel"] - before, 6);
    const old = await api(`/v2/trigger/${here}/no-workflow`, "POST", "");
    await control("drain");
    const failed = await runOf(old.json.workflowRunId);
    assert.equal(failed.workflowState, "RUN_FAILED");
    assert.equal(failed.steps[1].steps[0].errors[0].error, "trigger rest api is only usable with sdk versions after v1.0.0 major version");
    assert.deepEqual([failed.steps[0].steps[0].state, failed.steps[1].type], ["STEP_SUCCESS", "next"]);
  },
};

const realSteps = {
  async "a run sleeps a second of the real clock"() {
    const id = await start("/parallel");
    let run;
    for (let turn = 0; turn < 600; turn += 1) {
      run = await runOf(id);
      if (run.workflowState === "RUN_SUCCESS") break;
      await new Promise((later) => setTimeout(later, 50));
    }
    assert.equal(run.workflowState, "RUN_SUCCESS");
    assert.equal(calls["/parallel"], 5);
    assert.ok(run.workflowRunCompletedAt - run.workflowRunCreatedAt >= 1000);
  },
};

const print = console.log;
console.log = console.warn = console.error; // what the SDK says of errors is no claim
const chosen = process.env.CLOCK === "real" ? realSteps : steps;
for (const [claim, check] of Object.entries(chosen)) {
  await check();
  print(claim);
}
server.close();
server.closeAllConnections();
