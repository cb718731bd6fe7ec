// What the rows and lanes show, worked out of a picture. Pure.

export const STATES = ["CREATED", "ACTIVE", "RETRY", "DELIVERED", "FAILED", "CANCELED"];

// The words of the states for people; "held" is no state of QStash.
export const WORDS = {
  CREATED: "waiting",
  ACTIVE: "in flight",
  RETRY: "retrying",
  DELIVERED: "delivered",
  FAILED: "failed",
  CANCELED: "cancelled",
};

export function kindOf(message, held) {
  return held?.[message.id] ? "held" : message.state.toLowerCase();
}

// What came of an attempt: "ok", "bad", "lost" or "flying".
export function outcomeOf(attempt) {
  if (attempt.lost) return "lost";
  if (attempt.status === undefined) return "flying";
  return attempt.status >= 200 && attempt.status < 300 && !attempt.error ? "ok" : "bad";
}

export function endOf(attempt, now) {
  return attempt.took === undefined ? Math.max(now, attempt.at) : attempt.at + attempt.took;
}

// A short word for what came of an attempt: the status, or why there was none.
export function wordOf(attempt) {
  if (attempt.lost) return "answer lost";
  if (attempt.status === undefined) return "in flight";
  return attempt.error && !attempt.status ? attempt.error : String(attempt.status);
}

// Host and path of a URL, for a label; what is no URL is shown whole.
export function partsOf(url) {
  const found = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  return found ? { host: found[1], path: found[2] || "/" } : { host: "", path: url };
}

export function shortId(id) {
  return id.length > 14 ? `${id.slice(0, 10)}…` : id;
}

// The instants between which something of *messages* is to be seen, as [from, to]; never empty. Now is one of them
// unless all has *ended*.
export function extentOf(messages, now, ended) {
  let from = ended && messages.length ? Infinity : now;
  let to = ended && messages.length ? -Infinity : now;
  for (const message of messages) {
    from = Math.min(from, message.created);
    to = Math.max(to, message.finished ?? message.due);
  }
  const room = Math.max((to - from) * 0.04, 500);
  return [from - room, to + room];
}

// One sentence on a message, for those who do not see its lane.
export function sentenceOf(message, picture) {
  const tries = message.attempts?.map(wordOf) ?? [];
  const came = tries.length
    ? `${tries.length} attempt${tries.length > 1 ? "s" : ""}: ${tries.join(", ")}`
    : "no attempt yet";
  const held = picture.held[message.id];
  return `${message.method} ${message.url}, ${held ? `held: ${held}` : WORDS[message.state]}, ${came}`;
}

// Return whether *message* has all the words of *text* somewhere, and one of *kinds*, if any are asked for.
export function matches(message, text, kinds, held) {
  if (kinds.size && !kinds.has(kindOf(message, held))) return false;
  if (!text) return true;
  message.searched ??= [
    message.id,
    message.url,
    message.method,
    message.queue,
    message.key,
    message.group,
    message.schedule,
    message.run,
    message.part,
    message.body,
    ...(message.labels ?? []),
    ...(message.attempts ?? []).map(wordOf),
  ]
    .join(" ")
    .toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => message.searched.includes(word));
}

// How many instants of each kind fall into each of *count* parts of [from, to]: for the strip above the lanes.
export function densityOf(messages, from, to, count) {
  const good = new Array(count).fill(0);
  const bad = new Array(count).fill(0);
  const place = (at) => Math.min(count - 1, Math.max(0, Math.floor(((at - from) / (to - from)) * count)));
  for (const message of messages) {
    if (!message.attempts) good[place(message.due)] += 0.5;
    else
      for (const attempt of message.attempts) (outcomeOf(attempt) === "bad" ? bad : good)[place(attempt.at)] += 1;
  }
  return { good, bad, most: Math.max(1, ...good.map((value, index) => value + bad[index])) };
}
