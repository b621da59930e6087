/** Webhooks that the gateway sends, verified by the library of the Standard Webhooks specification. */
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type Gateway } from "./support/gateway";
import { CREATE, type CreateData } from "./support/operations";
import { startReceiver, type Received, type Receiver } from "./support/receiver";
import { eventually } from "./support/wait";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhro=";
const OTHER_SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/** Longer than the first rest behind a failure. */
const TAKEN_WITHIN_MS = 15_000;

let receiver: Receiver;
let gateway: Gateway;

beforeAll(async () => {
  receiver = await startReceiver();
  gateway = await startGateway({
    DELIVER__0__NAME: "crm",
    DELIVER__0__URL: receiver.url,
    DELIVER__0__SECRET: SECRET,
    DELIVER__0__PREVIOUS_SECRET: OLD_SECRET,
    DELIVER__0__TENANTS: "tenant-demo",
    DELIVER__0__ALLOW_PRIVATE: "127.0.0.1",
  });
});

afterAll(async () => {
  await gateway?.close();
  await receiver?.close();
});

/** Completes a design and waits for so many messages about it. */
async function completed(messages: number): Promise<{ design: string; heard: Received[] }> {
  const before = receiver.received.length;
  const response = await fetch(gateway.http, {
    method: "POST",
    headers: { authorization: gateway.authorization, "content-type": "application/json" },
    body: JSON.stringify({ query: CREATE, variables: { name: "Delivered" } }),
  });
  const { data } = (await response.json()) as { data: CreateData };
  const design = data.createProject.project?.designs[0]?.designId;
  if (design === undefined) throw new Error(`no design: ${JSON.stringify(data)}`);
  await gateway.sandbox.finish(design);
  const heard = await eventually(`${messages} messages`, TAKEN_WITHIN_MS, () => {
    const since = receiver.received.slice(before);
    return since.length >= messages ? since : undefined;
  });
  return { design, heard };
}

function verify(secret: string, { headers, body }: Received): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}

test("a message is verified by the specification's own library", async () => {
  const { design, heard } = await completed(1);

  expect(verify(SECRET, heard[0]!)).toMatchObject({
    type: "design.completed",
    data: {
      tenantId: "tenant-demo",
      designId: design,
      status: "SUCCEEDED",
      summary: { systemSizeStcWatts: expect.any(Number), moduleCount: expect.any(Number) },
      summaryNote: null,
    },
  });
});

test("while a secret changes, either verifies and no other does", async () => {
  const { heard } = await completed(1);
  const message = heard[0]!;

  expect(verify(OLD_SECRET, message)).toEqual(verify(SECRET, message));
  expect(() => verify(OTHER_SECRET, message)).toThrow(WebhookVerificationError);
});

test("a message that was touched on its way is not verified", async () => {
  const { heard } = await completed(1);
  const { headers, body } = heard[0]!;
  const touched = Buffer.from(body.toString().replace("SUCCEEDED", "FAILED"));

  expect(() => verify(SECRET, { headers, body: touched })).toThrow(WebhookVerificationError);
  const renamed = { ...headers, "webhook-id": "evt_another" };
  expect(() => verify(SECRET, { headers: renamed, body })).toThrow(WebhookVerificationError);
});

test("a message that was not taken comes again under its id, signed for its new time", async () => {
  receiver.answers.push(503);

  const { heard } = await completed(2);

  const [first, second] = heard as [Received, Received];
  expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
  expect(verify(SECRET, second)).toMatchObject({ type: "design.completed" });
});
