// Everything that can be asked of the server, as a table of forms. A new operation is a row.
const whole = (text) => (text ? Number(text) : undefined);
const json = (text) => (text.trim() ? JSON.parse(text) : undefined);
const header = (pairs) => Object.fromEntries(Object.entries(pairs).filter(([, value]) => value));
const query = (pairs) => new URLSearchParams(header(pairs));
const path = encodeURIComponent;

// "503, 200" and "503 200" alike.
const statuses = (text) =>
  text
    ? text
        .split(/[\s,]+/)
        .filter(Boolean)
        .map(Number)
    : undefined;

// "Name: value" a line.
function headersOf(text) {
  const pairs = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]);
  if (pairs.some(([name, value]) => !name || !value))
    throw new Error("write each header as Name: value, on a line of its own");
  return Object.fromEntries(pairs);
}

// title, what it does, fields, and what is sent: method, path, body, headers. A field is a name, a label and how it is
// asked for. `clock` marks what moves the clock, `careful` what is asked about twice.
export const FORMS = [
  [
    "Publish",
    [
      {
        title: "Publish a message",
        wide: true,
        fields: [
          [
            "destination",
            "Destination: a URL, or the name of a URL group",
            { needed: true, placeholder: "http://127.0.0.1:3000/jobs/invoice" },
          ],
          ["body", "Body", { lines: 3, placeholder: '{"order": 7}' }],
          ["type", "Content-Type", { start: "application/json" }],
          ["method", "Method", { choices: ["POST", "GET", "PUT", "PATCH", "DELETE"] }],
          ["delay", "Delay", { placeholder: "5m" }],
          ["retries", "Retries", { kind: "number" }],
          ["timeout", "Time-out", { placeholder: "30s" }],
          ["queue", "Queue", {}],
          ["key", "Flow-control key", {}],
          ["limits", "Its limits", { placeholder: "parallelism=1, rate=10" }],
          ["callback", "Callback", { placeholder: "https://…" }],
          ["failure", "Failure callback", { placeholder: "https://…" }],
          ["label", "Label", {}],
          ["more", "More headers, one a line", { lines: 2, placeholder: "Upstash-Forward-X-Trace: 17" }],
        ],
        send: (v) => [
          "POST",
          v.queue ? `/v2/enqueue/${path(v.queue)}/${v.destination}` : `/v2/publish/${v.destination}`,
          v.body,
          header({
            "content-type": v.type,
            "upstash-method": v.method,
            "upstash-delay": v.delay,
            "upstash-retries": v.retries,
            "upstash-timeout": v.timeout,
            "upstash-flow-control-key": v.key,
            "upstash-flow-control-value": v.limits,
            "upstash-callback": v.callback,
            "upstash-failure-callback": v.failure,
            "upstash-label": v.label,
            ...headersOf(v.more),
          }),
        ],
      },
    ],
  ],
  [
    "The clock",
    [
      {
        title: "Advance",
        help: "Move the clock forward, making every delivery on the way.",
        clock: true,
        fields: [["duration", "By", { needed: true, start: "5m" }]],
        send: (v) => ["POST", "/_fake/advance", { duration: v.duration }],
      },
      {
        title: "Advance to",
        help: "Move it to an instant, in UTC.",
        clock: true,
        fields: [["time", "Instant", { needed: true, placeholder: "2026-01-01T09:00:00Z" }]],
        send: (v) => ["POST", "/_fake/advance-to", { time: v.time }],
      },
      {
        title: "Advance to next",
        help: "Move it to the next instant at which something happens.",
        clock: true,
        fields: [],
        send: () => ["POST", "/_fake/advance-to-next"],
      },
      {
        title: "Advance until",
        help: "Move it until a message has ended.",
        clock: true,
        fields: [
          ["message", "Id of the message", { needed: true, placeholder: "msg_…" }],
          ["limit", "At most", { placeholder: "30d" }],
        ],
        send: (v) => ["POST", "/_fake/advance-until", { message: v.message, limit: v.limit || undefined }],
      },
      {
        title: "Deliver due",
        help: "Deliver what is due now; the clock stands still.",
        clock: true,
        fields: [],
        send: () => ["POST", "/_fake/deliver-due"],
      },
      {
        title: "Deliver",
        help: "Make the next attempt of one message now, due or not.",
        clock: true,
        fields: [["message", "Id of the message", { needed: true, placeholder: "msg_…" }]],
        send: (v) => ["POST", "/_fake/deliver", { message: v.message }],
      },
      {
        title: "Drain",
        help: "Deliver until nothing but schedules, or held messages, is left.",
        clock: true,
        fields: [["limit", "New messages at most", { kind: "number", placeholder: "1000" }]],
        send: (v) => ["POST", "/_fake/drain", { limit: whole(v.limit) }],
      },
    ],
  ],
  [
    "How deliveries are answered",
    [
      {
        title: "Answer a URL",
        wide: true,
        help: "Answer deliveries in place of the application. Give one kind of answer.",
        fields: [
          ["url", "URL; * at its end for all below", { needed: true, placeholder: "https://shop.example/jobs/*" }],
          ["method", "Method", { placeholder: "any" }],
          ["status", "Status", { kind: "number" }],
          ["list", "Or statuses in turn", { placeholder: "503, 503, 200" }],
          ["json", "JSON", { placeholder: '{"done": true}' }],
          ["text", "Or text", {}],
          ["failing", "Or", { choices: ["", "time_out", "refuse_connection"] }],
          ["takes", "It takes", { placeholder: "2s" }],
          ["times", "For how many calls", { kind: "number" }],
        ],
        send: (v) => [
          "POST",
          "/_fake/routes",
          {
            url: v.url,
            method: v.method || undefined,
            status: whole(v.status),
            respond_with: statuses(v.list),
            json: json(v.json),
            text: v.text || undefined,
            takes: v.takes || undefined,
            times: whole(v.times),
            ...(v.failing ? { [v.failing]: true } : {}),
          },
        ],
      },
      {
        title: "Show the answers",
        help: "The routes that were made, with the number of their calls.",
        fields: [],
        send: () => ["GET", "/_fake/routes"],
      },
      {
        title: "Forget the answers",
        help: "The application answers again.",
        fields: [],
        send: () => ["DELETE", "/_fake/routes"],
      },
      {
        title: "Duplicate next",
        help: "Send the next attempt twice: QStash delivers at least once.",
        fields: [["url", "To this URL", { placeholder: "any" }]],
        send: (v) => ["POST", "/_fake/duplicate-next", { url: v.url || undefined }],
      },
    ],
  ],
  [
    "What QStash does otherwise",
    [
      {
        title: "Set a plan of faults",
        help: "Run what follows under a plan, until the next reset; empty for none.",
        fields: [["plan", "Plan", { placeholder: "lost@/jobs/invoice#1.1" }]],
        send: (v) => ["POST", "/_fake/plan", { plan: v.plan }],
      },
      {
        title: "Show the plan",
        help: "Which faults came to pass, which did not, and which were possible besides.",
        fields: [["faults", "Of these kinds", { placeholder: "all" }]],
        send: (v) => ["GET", `/_fake/plan${v.faults ? `?faults=${path(v.faults)}` : ""}`],
      },
    ],
  ],
  [
    "How the API answers",
    [
      {
        title: "Fail",
        help: "Let the next calls of the API be refused.",
        fields: [
          ["kind", "With: burst, daily, chat or a status", { needed: true, start: "burst" }],
          ["times", "Calls", { kind: "number", start: "1" }],
        ],
        send: (v) => [
          "POST",
          "/_fake/fail",
          { kind: /^\d+$/.test(v.kind) ? Number(v.kind) : v.kind, times: whole(v.times) },
        ],
      },
      {
        title: "Drop connection",
        help: "Break the connection of the next calls of the API.",
        fields: [["times", "Calls", { kind: "number", start: "1" }]],
        send: (v) => ["POST", "/_fake/drop-connection", { times: whole(v.times) }],
      },
      {
        title: "Rotate keys",
        help: "The next signing key becomes the current one.",
        fields: [],
        send: () => ["POST", "/v2/keys/rotate"],
      },
      {
        title: "Show keys",
        help: "The signing keys that deliveries are checked with.",
        fields: [],
        send: () => ["GET", "/v2/keys"],
      },
    ],
  ],
  [
    "The account",
    [
      {
        title: "Make a queue",
        help: "Or change the one of this name.",
        fields: [
          ["name", "Name", { needed: true }],
          ["parallelism", "Parallelism", { kind: "number", start: "1" }],
        ],
        send: (v) => ["POST", "/v2/queues", { queueName: v.name, parallelism: whole(v.parallelism) }],
      },
      {
        title: "Make a schedule",
        fields: [
          ["destination", "Destination", { needed: true, placeholder: "https://shop.example/nightly" }],
          ["cron", "Cron", { needed: true, placeholder: "0 9 * * *" }],
          ["id", "Id", {}],
          ["body", "Body", {}],
        ],
        send: (v) => [
          "POST",
          `/v2/schedules/${v.destination}`,
          v.body,
          header({ "upstash-cron": v.cron, "upstash-schedule-id": v.id }),
        ],
      },
      {
        title: "Trigger a schedule",
        help: "Publish once, now.",
        fields: [["schedule", "Id of the schedule", { needed: true }]],
        send: (v) => ["POST", "/_fake/trigger", { schedule: v.schedule }],
      },
      {
        title: "Add to a URL group",
        fields: [
          ["group", "Group", { needed: true }],
          ["url", "Endpoint", { needed: true, placeholder: "https://…" }],
          ["name", "Name of the endpoint", {}],
        ],
        send: (v) => [
          "POST",
          `/v2/topics/${path(v.group)}/endpoints`,
          { endpoints: [{ url: v.url, ...(v.name ? { name: v.name } : {}) }] },
        ],
      },
      {
        title: "Pin a key",
        help: "Hold the limits of a flow-control key, whatever messages say.",
        fields: [
          ["key", "Key", { needed: true }],
          ["parallelism", "Parallelism", { kind: "number" }],
          ["rate", "Rate", { kind: "number" }],
          ["period", "Period in seconds", { kind: "number" }],
        ],
        send: (v) => [
          "POST",
          `/v2/flowControl/${path(v.key)}/pin?${query({ parallelism: v.parallelism, rate: v.rate, period: v.period })}`,
        ],
      },
      {
        title: "Notify",
        help: "Wake the runs of workflows that wait for an event.",
        fields: [
          ["event", "Event", { needed: true }],
          ["data", "Data, JSON", {}],
          ["run", "Only the run", {}],
        ],
        send: (v) => [
          "POST",
          "/_fake/notify",
          { event_id: v.event, data: json(v.data), run_id: v.run || undefined },
        ],
      },
      {
        title: "Reset",
        help: "Forget everything but the time.",
        careful: true,
        fields: [],
        send: () => ["POST", "/_fake/reset"],
      },
    ],
  ],
];
