/** A `fetch` that remembers what went out and how it was answered. */

export interface Sent {
  readonly method: string;
  /** Which of a request's members went along, in the URL or in the body. */
  readonly members: readonly string[];
  readonly status: number;
}

export function wiretap(): { fetch: typeof fetch; sent: Sent[] } {
  const sent: Sent[] = [];
  const tapped: typeof fetch = async (input, init = {}) => {
    const response = await fetch(input, init);
    const members =
      typeof init.body === "string"
        ? Object.keys(JSON.parse(init.body) as object)
        : [...new URL(String(input)).searchParams.keys()];
    sent.push({ method: init.method ?? "GET", members: members.sort(), status: response.status });
    return response;
  };
  return { fetch: tapped, sent };
}
