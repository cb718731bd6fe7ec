// The official TypeScript SDK against a server with a virtual clock. Each step is a claim; the first one that does not
// hold ends the run. The address and the keys are those that the server has printed, in the environment.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Client, QstashError, QstashRatelimitError, Receiver, upstash } from "@upstash/qstash";

const plain = new Client({ baseUrl: process.env.QSTASH_URL, token: process.env.QSTASH_TOKEN });
const called = new Set(); // every method that was called, as Class.method
const client = recorded(plain);
const shop = "https://shop.example/jobs";

async function control(operation, given, method = "POST") {
  const response = await fetch(`${process.env.QSTASH_URL}/_fake/${operation}`, {
    method,
    headers: { Authorization: `Bearer ${process.env.QSTASH_TOKEN}` },
    body: given && JSON.stringify(given),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

// Return `of`, noting each call of its methods, and of those of what hangs on it or comes from it.
function recorded(of) {
  const further = (value) => (value && typeof value === "object" && !value.then ? recorded(value) : value);
  return new Proxy(of, {
    get(target, key) {
      const value = target[key];
      if (typeof value !== "function") return further(value);
      return (...given) => {
        called.add(`${target.constructor.name}.${String(key)}`);
        return further(value.apply(target, given));
      };
    },
  });
}

// Private in the types of the SDK, which JavaScript cannot see.
const PRIVATE = new Set([
  "createThirdParty",
  "getAuthorizationToken",
  "requestWithBackoff",
  "processRequest",
  "checkResponse",
  "getResponseError",
]);

// Return the public methods of what hangs on the client, and of what its own methods give.
function methods() {
  const found = new Set();
  const look = (of, deep) => {
    const names = new Set();
    for (let one = of; one && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
      for (const name of Object.getOwnPropertyNames(one)) names.add(name);
    }
    names.delete("constructor");
    for (const name of names) {
      if (typeof of[name] === "function") found.add(`${of.constructor.name}.${name}`);
      else if (deep && of[name] && typeof of[name] === "object") look(of[name], false);
    }
  };
  look(plain, true);
  look(plain.queue({ queueName: "any" }), false);
  look(plain.chat(), false);
  return [...found].filter((name) => !PRIVATE.has(name.split(".")[1])).sort();
}

const received = [];
const destination = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  received.push({ url: request.url, headers: request.headers, body });
  response.end("done");
});
await new Promise((listening) => destination.listen(0, "127.0.0.1", listening));
const here = `http://127.0.0.1:${destination.address().port}`;

const steps = {
  async "publishes, and its Receiver verifies what is delivered"() {
    const { messageId } = await client.publishJSON({
      url: `${here}/jobs?x=1`,
      body: { order: 7, name: "café" },
      headers: { "X-Shop": "main" },
      delay: "5m",
      retries: 2,
      timeout: 30,
      label: "invoice",
      callback: "https://shop.example/done",
    });
    const message = await client.messages.get(messageId);
    assert.equal(message.body, '{"order":7,"name":"café"}');
    assert.equal(message.maxRetries, 2);
    assert.deepEqual(message.header["X-Shop"], ["main"]);
    assert.equal(message.notBefore - message.createdAt, 300_000);
    await control("advance", { duration: "4m59s" });
    assert.equal(received.length, 0);
    await control("routes", { url: "https://shop.example/*", status: 200 });
    await control("advance", { duration: "1s" });
    const [delivered] = received;
    assert.equal(delivered.headers["x-shop"], "main");
    const receiver = new Receiver({
      currentSigningKey: process.env.QSTASH_CURRENT_SIGNING_KEY,
      nextSigningKey: process.env.QSTASH_NEXT_SIGNING_KEY,
    });
    const signed = { signature: delivered.headers["upstash-signature"], body: delivered.body };
    assert.equal(await receiver.verify({ ...signed, url: `${here}/jobs?x=1` }), true);
    await assert.rejects(receiver.verify({ ...signed, body: "{}" }), { name: "SignatureError" });
    await assert.rejects(receiver.verify({ ...signed, url: here }), { name: "SignatureError" });
  },

  async "lists the log"() {
    const { messageId } = await client.publish({ url: here, body: "log" });
    await control("deliver-due");
    const { logs } = await client.logs({ filter: { messageId } });
    assert.deepEqual(logs.map((log) => log.state), ["DELIVERED", "ACTIVE", "CREATED"]);
    const first = await client.logs({ count: 2, messageIds: [messageId] });
    assert.equal(first.logs.length, 2);
    assert.ok(first.cursor);
  },

  async "publishes once for one deduplication id, and for one content"() {
    for (const how of [{ deduplicationId: "one" }, { contentBasedDeduplication: true }]) {
      const first = await client.publish({ url: shop, body: "x", ...how });
      const second = await client.publish({ url: shop, body: "x", ...how });
      assert.equal(second.deduplicated, true);
      assert.equal(second.messageId, first.messageId);
    }
  },

  async "publishes batches"() {
    await client.urlGroups.addEndpoints({ name: "both", endpoints: [{ url: `${shop}/a` }, { url: `${shop}/b` }] });
    const [single, group, queued] = await client.batchJSON([
      { url: shop, body: { n: 1 }, delay: 5 },
      { urlGroup: "both", body: { n: 2 } },
      { url: shop, body: { n: 3 }, queueName: "batched" },
    ]);
    assert.equal((await client.messages.get(single.messageId)).body, '{"n":1}');
    assert.deepEqual(group.map((one) => one.url), [`${shop}/a`, `${shop}/b`]);
    assert.equal((await client.messages.get(queued.messageId)).queueName, "batched");
  },

  async "keeps schedules"() {
    const { scheduleId } = await client.schedules.create({
      destination: `${here}/tick`,
      cron: "0 * * * *",
      scheduleId: "hourly",
      body: "tick",
      retries: 1,
      label: "hours",
    });
    assert.equal(scheduleId, "hourly");
    const schedule = await client.schedules.get(scheduleId);
    assert.equal(schedule.cron, "0 * * * *");
    assert.equal(schedule.destination, `${here}/tick`);
    assert.deepEqual((await client.schedules.list()).map((one) => one.scheduleId), ["hourly"]);
    await control("advance", { duration: "1h" });
    assert.equal(received.length, 1);
    assert.equal(received[0].headers["upstash-schedule-id"], "hourly");
    await client.schedules.pause({ schedule: scheduleId });
    assert.equal((await client.schedules.get(scheduleId)).isPaused, true);
    await control("advance", { duration: "1h" });
    assert.equal(received.length, 1);
    await client.schedules.resume({ schedule: scheduleId });
    await control("advance", { duration: "1h" });
    assert.equal(received.length, 2);
    await client.schedules.delete(scheduleId);
    await assert.rejects(client.schedules.get(scheduleId), { status: 404 });
  },

  async "keeps queues in order"() {
    const queue = client.queue({ queueName: "bills" });
    await queue.upsert({ parallelism: 1, paused: true });
    for (const n of [1, 2]) await queue.enqueueJSON({ url: here, body: { n } });
    const { lag, paused, parallelism } = await queue.get();
    assert.deepEqual({ lag, paused, parallelism }, { lag: 2, paused: true, parallelism: 1 });
    await control("deliver-due");
    assert.equal(received.length, 0);
    await queue.resume();
    await control("deliver-due");
    assert.deepEqual(received.map((one) => one.body), ['{"n":1}', '{"n":2}']);
    await queue.pause();
    assert.deepEqual((await queue.list()).map((one) => [one.name, one.paused]), [["bills", true]]);
    await queue.delete();
    assert.deepEqual(await queue.list(), []);
  },

  async "cancels one, some, by filter and all"() {
    const publish = async (label) => (await client.publish({ url: shop, delay: "1h", label })).messageId;
    const ids = [];
    for (const label of ["a", "a", "a", "b", "b", "c"]) ids.push(await publish(label));
    assert.deepEqual(await client.messages.cancel(ids[0]), { cancelled: 1 });
    assert.deepEqual(await client.messages.cancel([ids[1], ids[2]]), { cancelled: 2 });
    assert.deepEqual(await client.messages.cancel({ filter: { label: "b" } }), { cancelled: 2 });
    assert.deepEqual(await client.messages.cancel({ all: true }), { cancelled: 1 });
    assert.deepEqual(await client.messages.cancel({ all: true }), { cancelled: 0 });
    await assert.rejects(client.messages.get(ids[0]), { status: 404 });
  },

  async "reads, redrives and deletes dead letters"() {
    await control("routes", { url: shop, status: 500, text: "sorry" });
    for (const body of ["1", "2", "3"]) await client.publish({ url: shop, body, retries: 0, label: `l${body}` });
    await control("drain");
    const { messages, cursor } = await client.dlq.listMessages();
    assert.equal(cursor, undefined);
    assert.deepEqual(messages.map((one) => [one.body, one.responseStatus, one.responseBody]), [
      ["1", 500, "sorry"],
      ["2", 500, "sorry"],
      ["3", 500, "sorry"],
    ]);
    const paged = await client.dlq.listMessages({ count: 2 });
    assert.equal((await client.dlq.listMessages({ cursor: paged.cursor })).messages[0].body, "3");
    assert.equal((await client.dlq.listMessages({ filter: { label: "l2" } })).messages.length, 1);
    const [first, second, third] = messages.map((one) => one.dlqId);
    const { responses } = await client.dlq.retry(first);
    assert.equal((await client.messages.get(responses[0].messageId)).body, "1");
    assert.deepEqual(await client.dlq.delete(second), { deleted: 1 });
    assert.deepEqual(await client.dlq.delete([second, third]), { deleted: 1 });
    await assert.rejects(client.dlq.delete(third), { status: 404 });
    assert.deepEqual((await client.dlq.listMessages()).messages, []);
  },

  async "controls the flow"() {
    const flowControl = { key: "shop", parallelism: 2, rate: 3, period: "1m" };
    for (let n = 0; n < 4; n++) await client.publish({ url: here, flowControl });
    await control("deliver-due");
    assert.equal(received.length, 3);
    const key = await client.flowControl.get("shop");
    assert.deepEqual(
      [key.parallelismMax, key.rateMax, key.ratePeriod, key.rateCount, key.waitListSize, key.isPaused],
      [2, 3, 60, 3, 1, false],
    );
    await client.flowControl.pause("shop");
    await control("advance", { duration: "1m" });
    assert.equal(received.length, 3);
    await client.flowControl.resume("shop");
    await control("deliver-due");
    assert.equal(received.length, 4);
    await client.flowControl.pin("shop", { parallelism: 1, rate: 5, period: 10 });
    assert.equal((await client.flowControl.get("shop")).isPinnedRate, true);
    await client.flowControl.unpin("shop", { parallelism: true, rate: true });
    assert.equal((await client.flowControl.get("shop")).isPinnedParallelism, false);
    await client.flowControl.resetRate("shop");
    assert.equal((await client.flowControl.get("shop")).rateCount, 0);
    assert.equal((await client.flowControl.getGlobalParallelism()).parallelismCount, 0);
  },

  async "keeps URL groups"() {
    const group = "orders";
    await client.urlGroups.addEndpoints({ name: group, endpoints: [{ url: `${here}/a` }, { url: `${here}/b`, name: "b" }] });
    assert.deepEqual((await client.urlGroups.get(group)).endpoints, [{ url: `${here}/a` }, { url: `${here}/b`, name: "b" }]);
    const sent = await client.publishJSON({ urlGroup: group, body: { order: 7 } });
    assert.equal(sent.length, 2);
    await control("deliver-due");
    assert.deepEqual(received.map((one) => one.url), ["/a", "/b"]);
    assert.equal(received[0].headers["upstash-topic-name"], group);
    await client.urlGroups.removeEndpoints({ name: group, endpoints: [{ name: "b" }] });
    assert.deepEqual((await client.urlGroups.list()).map((one) => one.endpoints.length), [1]);
    await client.urlGroups.delete(group);
    await assert.rejects(client.publish({ urlGroup: group }), { status: 404 });
  },

  async "has older names for what it does"() {
    await control("routes", { url: shop, status: 500 });
    const publish = async (delay) => (await client.publish({ url: shop, retries: 0, delay })).messageId;
    const ids = [await publish("1h"), await publish("1h"), await publish("1h")];
    await client.messages.delete(ids[0]);
    assert.equal(await client.messages.deleteMany([ids[1]]), 1);
    assert.equal(await client.messages.deleteAll(), 1);
    await client.batch([{ url: shop, body: "x", retries: 0 }]);
    await client.queue({ queueName: "plain" }).enqueue({ url: shop, body: "y", retries: 0 });
    await control("drain");
    const { messages } = await client.dlq.listMessages();
    assert.deepEqual(await client.dlq.deleteMany({ dlqIds: messages.map((one) => one.dlqId) }), { deleted: 2 });
    assert.ok((await client.events({ count: 1 })).events.length);
    assert.ok((await client.http.request({ path: ["v2", "keys"] })).current);
  },

  async "asks the old language model, whole and as a stream"() {
    const quiet = console.warn;
    console.warn = () => {};
    try {
      const asked = { provider: upstash(), model: "meta-llama/Meta-Llama-3-8B-Instruct", system: "you", user: "hello" };
      const answer = await client.chat().prompt(asked);
      assert.equal(answer.choices[0].message.role, "assistant");
      const { system, user, ...rest } = asked;
      const messages = [{ role: "user", content: user }];
      const parts = [];
      for await (const part of await client.chat().create({ ...rest, messages, stream: true })) parts.push(part);
      assert.equal(parts[0].choices[0].delta.role, "assistant");
      await client.http.requestStream({ path: ["llm", "v1", "chat", "completions"], method: "POST", body: '{"stream":true}' });
    } finally {
      console.warn = quiet;
    }
  },

  async "cancels what a workflow of its own kind has started"() {
    await assert.rejects(client.workflow.cancel("wfr_unknown"), { status: 404 });
  },

  async "tells its errors apart"() {
    const quiet = console.error;
    console.error = () => {};
    try {
      await control("fail", { kind: "burst" });
      await assert.rejects(client.queue().list(), QstashRatelimitError);
      await control("fail", { kind: 503 });
      await assert.rejects(client.queue().list(), { name: "QstashError", status: 503 });
      await assert.rejects(client.publish({ url: "shop.example" }), QstashError);
    } finally {
      console.error = quiet;
    }
  },
};

steps["has no method that was not called"] = async () => {
  assert.deepEqual(methods().filter((name) => !called.has(name)), []);
};

for (const [claim, step] of Object.entries(steps)) {
  await control("reset");
  received.length = 0;
  try {
    await step();
  } catch (error) {
    console.log(`FAILED: the SDK ${claim}`);
    console.log(error);
    process.exit(1);
  }
  console.log(`the SDK ${claim}`);
}
process.exit(0);
