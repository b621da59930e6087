/** The control routes of the Aurora sandbox: what it was asked, and what happens there next. */
export class Sandbox {
  readonly #url: string;

  constructor(url: string) {
    this.#url = `${url}/_sandbox`;
  }

  /** How many requests Aurora saw since they were last forgotten; of those, the ones that fit. */
  async calls(which: { method?: string; path?: string } = {}): Promise<number> {
    const response = await this.#send("GET", `calls?${new URLSearchParams(which)}`);
    const { count } = (await response.json()) as { count: number };
    return count;
  }

  async forgetCalls(): Promise<void> {
    await this.#send("DELETE", "calls");
  }

  /** The simulation of a design ends well, and Aurora tells of it by its webhook. */
  async finish(designId: string): Promise<void> {
    await this.#send("POST", `designs/${designId}/finish`);
  }

  async #send(method: string, path: string): Promise<Response> {
    const response = await fetch(`${this.#url}/${path}`, { method });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response;
  }
}
