/**
 * What a page can do to a server without asking anybody: forms, images, beacons, sockets. Each runs in
 * the browser, where it sees nothing of this file, and ends when the browser says that it is over,
 * where it says so.
 */

/** Where to, what to run there, and a word that tells one probe from its siblings. */
export interface Target {
  readonly http: string;
  readonly socket: string;
  readonly document: string;
  readonly word: string;
}

export interface Probe {
  readonly name: string;
  readonly word?: string;
  readonly run: (target: Target) => unknown;
  /** What arrives of it, and the status that it gets although it has a credential. Nothing may follow. */
  readonly arrives: readonly [method: string, status: number];
}

const REFUSED_TYPE = ["POST", 415] as const;
const REFUSED_MUTATION = ["GET", 405] as const;
const REFUSED_SOCKET = ["GET", 403] as const;
/** What looks like an address bar is shown to GraphiQL, which runs nothing by itself. */
const SHOWN_GRAPHIQL = ["GET", 302] as const;
/** The browser asks first, is allowed nothing, and sends nothing. */
const ASKED_FIRST = ["OPTIONS", 204] as const;

const FORMS = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
const SIMPLE_TYPES = [
  ...FORMS.map((it) => (it === "multipart/form-data" ? `${it}; boundary=x` : it)),
  "",
];

export const PROBES: readonly Probe[] = [
  ...FORMS.map((word) => ({
    name: `a form as ${word}`,
    word,
    run: postForm,
    arrives: REFUSED_TYPE,
  })),
  ...SIMPLE_TYPES.map((word) => ({
    name: `a fetch without CORS, as ${word || "no type at all"}`,
    word,
    run: fetchWithoutCors,
    arrives: REFUSED_TYPE,
  })),
  {
    name: "a fetch without CORS that calls itself JSON",
    run: fetchCallingItselfJson,
    arrives: REFUSED_TYPE,
  },
  { name: "a fetch with CORS, as text/plain", run: fetchText, arrives: REFUSED_TYPE },
  { name: "a fetch with CORS, as JSON", run: fetchJson, arrives: ASKED_FIRST },
  { name: "a fetch with CORS and a wrong key", run: fetchWithKey, arrives: ASKED_FIRST },
  { name: "a beacon of text", word: "text", run: beacon, arrives: REFUSED_TYPE },
  { name: "a beacon of a form", word: "form", run: beacon, arrives: REFUSED_TYPE },
  { name: "a beacon of parameters", word: "parameters", run: beacon, arrives: REFUSED_TYPE },
  { name: "a beacon of JSON", word: "json", run: beacon, arrives: ASKED_FIRST },
  { name: "a GET without CORS", run: get, arrives: REFUSED_MUTATION },
  { name: "an image", word: "img", run: element, arrives: REFUSED_MUTATION },
  { name: "a script", word: "script", run: element, arrives: REFUSED_MUTATION },
  { name: "a style sheet", word: "link", run: element, arrives: REFUSED_MUTATION },
  { name: "a video", word: "video", run: element, arrives: REFUSED_MUTATION },
  { name: "a frame", word: "iframe", run: element, arrives: SHOWN_GRAPHIQL },
  { name: "a form by GET", run: getForm, arrives: SHOWN_GRAPHIQL },
  { name: "a window", run: openWindow, arrives: SHOWN_GRAPHIQL },
  { name: "an EventSource", run: eventSource, arrives: REFUSED_MUTATION },
  ...["graphql-transport-ws", "graphql-ws"].map((word) => ({
    name: `a WebSocket of ${word}`,
    word,
    run: webSocket,
    arrives: REFUSED_SOCKET,
  })),
];

/** The body is GraphQL's JSON wherever the encoding leaves it whole. */
function postForm({ http, document: query, word }: Target): void {
  const frame = Object.assign(document.createElement("iframe"), { name: "sink" });
  const form = Object.assign(document.createElement("form"), {
    action: http,
    method: "POST",
    enctype: word,
    target: "sink",
  });
  const add = (name: string, value: string) =>
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  if (word === "text/plain") {
    // name=value, so that the equals sign falls into a member that nobody reads.
    add(`${JSON.stringify({ query }).slice(0, -1)},"extensions":{"x":"`, '"}}');
  } else {
    add("query", query);
    add("operations", JSON.stringify({ query }));
    add("map", "{}");
  }
  document.body.append(frame, form);
  form.submit();
}

async function fetchWithoutCors({ http, document: query, word }: Target): Promise<void> {
  const body = new Blob([JSON.stringify({ query })]);
  const headers: Record<string, string> = word === "" ? {} : { "content-type": word };
  await fetch(http, { method: "POST", mode: "no-cors", credentials: "include", headers, body });
}

async function fetchCallingItselfJson({ http, document: query }: Target): Promise<void> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ query });
  await fetch(http, { method: "POST", mode: "no-cors", credentials: "include", headers, body });
}

function fetchText({ http, document: query }: Target): Promise<unknown> {
  const headers = { "content-type": "text/plain" };
  return fetch(http, { method: "POST", headers, body: JSON.stringify({ query }) }).catch(
    () => undefined,
  );
}

function fetchJson({ http, document: query }: Target): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  return fetch(http, { method: "POST", headers, body: JSON.stringify({ query }) }).catch(
    () => undefined,
  );
}

function fetchWithKey({ http, document: query }: Target): Promise<unknown> {
  const headers = { authorization: "Bearer wrong" };
  const url = `${http}?query=${encodeURIComponent(query)}`;
  return fetch(url, { headers }).catch(() => undefined);
}

function beacon({ http, document: query, word }: Target): void {
  const text = JSON.stringify({ query });
  const form = new FormData();
  form.append("query", query);
  const bodies: Record<string, BodyInit> = {
    text,
    form,
    parameters: new URLSearchParams({ query }),
    json: new Blob([text], { type: "application/json" }),
  };
  navigator.sendBeacon(http, bodies[word]);
}

async function get({ http, document: query }: Target): Promise<void> {
  await fetch(`${http}?query=${encodeURIComponent(query)}`, {
    mode: "no-cors",
    credentials: "include",
  });
}

function element({ http, document: query, word }: Target): void {
  const added = document.createElement(word);
  const url = `${http}?query=${encodeURIComponent(query)}`;
  if (word === "link") Object.assign(added, { rel: "stylesheet", href: url });
  else Object.assign(added, { src: url });
  document.body.append(added);
}

function getForm({ http, document: query }: Target): void {
  const frame = Object.assign(document.createElement("iframe"), { name: "sink" });
  const form = Object.assign(document.createElement("form"), { action: http, target: "sink" });
  const input = Object.assign(document.createElement("input"), { name: "query", value: query });
  form.append(input);
  document.body.append(frame, form);
  form.submit();
}

function openWindow({ http, document: query }: Target): void {
  location.href = `${http}?query=${encodeURIComponent(query)}`;
}

function eventSource({ http, document: query }: Target): Promise<void> {
  const url = `${http}?query=${encodeURIComponent(query)}`;
  const source = new EventSource(url, { withCredentials: true });
  return new Promise((resolve) => {
    source.onopen = () => resolve();
    source.onerror = () => resolve();
  });
}

function webSocket({ socket: url, document: query, word }: Target): Promise<void> {
  const socket = new WebSocket(url, word);
  socket.onopen = () => {
    socket.send(JSON.stringify({ type: "connection_init", payload: {} }));
    const type = word === "graphql-ws" ? "start" : "subscribe";
    socket.send(JSON.stringify({ id: "1", type, payload: { query } }));
  };
  return new Promise((resolve) => {
    socket.onclose = () => resolve();
    socket.onmessage = ({ data }) => String(data).includes('"complete"') && resolve();
  });
}
