/**
 * The Headers editor's text and the key in it. Text that is not JSON, as while somebody types, is
 * left alone: every function here then answers "nothing to say".
 */

/** What a person may have typed: the editor promises JSON, not texts. */
export type Headers = Readonly<Record<string, unknown>>;

const SCHEME = "Bearer ";

/** The editor's text for one key. Without a key it shows where to put it. */
export function headersWith(apiKey: string | null): string {
  return JSON.stringify({ Authorization: SCHEME + (apiKey ?? "") }, null, 2);
}

/** The value of `Authorization`, in whatever case it is written; null when there is none. */
export function findAuthorization(headers: Headers): string | null {
  const name = authorizationName(headers);
  return name === undefined ? null : String(headers[name]);
}

/** The `Authorization` of the editor's text; null when the text has none or is not JSON. */
export function readAuthorization(text: string): string | null {
  const headers = parseHeaders(text);
  return headers === null ? null : findAuthorization(headers);
}

/** The same text with another `Authorization`, if it has one to replace. */
export function replaceAuthorization(text: string, authorization: string): string {
  const headers = parseHeaders(text);
  const name = headers === null ? undefined : authorizationName(headers);
  if (name === undefined) return text;
  return JSON.stringify({ ...headers, [name]: authorization }, null, 2);
}

/** True for `Bearer` and nothing after it: the form that waits for a key. */
export function isBlank(authorization: string): boolean {
  return authorization.trim() === "" || authorization.trim() === SCHEME.trim();
}

function authorizationName(headers: Headers): string | undefined {
  return Object.keys(headers).find((name) => name.toLowerCase() === "authorization");
}

function parseHeaders(text: string): Headers | null {
  try {
    const headers: unknown = JSON.parse(text);
    return typeof headers === "object" && headers !== null && !Array.isArray(headers)
      ? { ...headers }
      : null;
  } catch {
    return null;
  }
}
