// QSTASH_DEV=true: without a URL, a token or keys, the SDK finds the server on the port of the official dev server
// (here QSTASH_DEV_PORT), and its Receiver takes what that server signs.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Client, Receiver } from "@upstash/qstash";

const delivered = new Promise((resolve) => {
  const destination = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.end();
    resolve({ signature: request.headers["upstash-signature"], body });
  });
  destination.listen(0, "127.0.0.1", async () => {
    await new Client().publishJSON({ url: `http://127.0.0.1:${destination.address().port}/`, body: { order: 7 } });
  });
});
assert.equal(await new Receiver().verify(await delivered), true);
console.log("found, published, delivered, verified");
process.exit(0);
