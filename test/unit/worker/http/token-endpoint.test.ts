import type { RequestListener } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { requestToken } from "../../../../src/worker/http/token-endpoint.ts";
import { Transport } from "../../../../src/worker/http/transport.ts";
import { bodyOf, json, type RunningServer, serve } from "./http-server.ts";

const endpoint = { service: "Dataverse", secret: 'the Secret "dynamics" (dynamics.credentialsSecretRef)' } as const;
const never = new AbortController().signal;
let server: RunningServer | undefined;
const transport = new Transport();
afterEach(() => server?.close());

async function ask(listener: RequestListener) {
  server = await serve(listener);
  return requestToken(
    transport,
    { ...endpoint, url: `${server.url}/token` },
    { client_id: "a b", client_secret: "s&=" },
    never,
  );
}

const answering = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  ask((_, response) => json(response, status, body, headers));

test("a token is asked for by the client credentials grant, as a form", async () => {
  let form = "";
  const issued = await ask(async (request, response) => {
    form = `${request.headers["content-type"]} ${await bodyOf(request)}`;
    json(response, 200, { access_token: "t", token_type: "Bearer", expires_in: 3599 });
  });
  expect(issued).toEqual({ accessToken: "t", lifeSeconds: 3599 });
  expect(form).toBe(
    "application/x-www-form-urlencoded grant_type=client_credentials&client_id=a+b&client_secret=s%26%3D",
  );
});

describe("credentials are rejected when the endpoint says so", () => {
  test.each([
    {
      name: "Entra: wrong secret",
      status: 401,
      body: { error: "invalid_client", error_description: "AADSTS7000215: Invalid client secret provided for 'Jane'." },
      serviceCode: "AADSTS7000215",
    },
    {
      name: "Entra: no such application",
      status: 400,
      body: {
        error: "unauthorized_client",
        error_description: "AADSTS700016: Application with identifier 'x' was not found",
      },
      serviceCode: "AADSTS700016",
    },
    { name: "Adobe: wrong secret", status: 400, body: { error: "invalid_client" }, serviceCode: "invalid_client" },
    { name: "Adobe: no OAuth error", status: 401, body: { message: "nope" }, serviceCode: undefined },
  ])("$name", async ({ status, body, serviceCode }) => {
    const refused = await answering(status, body).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "CredentialsRejected", outcome: "NotSent", status, serviceCode });
    expect(refused).toHaveProperty("message", expect.stringContaining(endpoint.secret));
    expect(String(refused)).not.toContain("Jane");
  });
});

describe("anything else is the endpoint's outage, never a rejection", () => {
  test.each([
    { name: "500", status: 500, body: { error: "invalid_client" }, code: "Outage" },
    { name: "503", status: 503, body: {}, code: "Outage" },
    { name: "404 of a proxy", status: 404, body: {}, code: "Outage" },
    { name: "temporarily unavailable", status: 400, body: { error: "temporarily_unavailable" }, code: "Outage" },
    { name: "200 without a token", status: 200, body: { hello: 1 }, code: "BadResponse" },
    { name: "200 without a life", status: 200, body: { access_token: "t" }, code: "BadResponse" },
  ])("$name", async ({ status, body, code }) => {
    await expect(answering(status, body)).rejects.toMatchObject({ code, outcome: "NotSent" });
  });

  test("throttling says for how long", async () => {
    const answer = answering(429, {}, { "retry-after": "7" });
    await expect(answer).rejects.toMatchObject({ code: "Throttled", outcome: "NotSent", retryAfterSeconds: 7 });
  });
});

test.each([
  "ftp://example.com/token",
  "http://login.example.com/token",
  "not a url",
  "https://user:pw@example.com/token",
])("a secret is not sent to %s", async (tokenUrl) => {
  const asked = requestToken(transport, { ...endpoint, service: "Campaign", url: tokenUrl }, {}, never);
  await expect(asked).rejects.toMatchObject({ code: "TokenUrlInvalid", outcome: "NotSent" });
  await expect(asked).rejects.not.toThrow("pw");
});
