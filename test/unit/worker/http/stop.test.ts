import { afterEach, expect, test } from "vitest";
import { json, type RunningServer, serve } from "./http-server.ts";
import { type Workspace, workspace } from "./workspace.ts";

const never = new AbortController().signal;
const ids = { UserId: "7F2A1A6C-0000-0000-0000-000000000001", OrganizationId: "7F2A1A6C-0000-0000-0000-000000000002" };
let server: RunningServer;
let clients: Workspace;
afterEach(async () => {
  await clients.close();
  await server.close();
});

async function start(listener: Parameters<typeof serve>[0], stop: AbortSignal): Promise<void> {
  server = await serve(listener);
  const dynamics = { tenantId: "t", clientId: "c", clientSecret: "s", tokenUrl: `${server.url}/token` };
  clients = await workspace({ dataverseUrl: server.url, dynamics, campaign: {}, connect: { stop } });
}

test("at a stop, a call that waits for leave is given up as not sent, and a call under way may end", async () => {
  const stopping = new AbortController();
  const answers: (() => void)[] = [];
  let asked = 0;
  await start((request, response) => {
    if (request.url === "/token") return json(response, 200, { access_token: "t", expires_in: 3600 });
    asked += 1;
    if (asked === 1) answers.push(() => json(response, 200, ids));
    else json(response, 429, {}, { "retry-after": "3600" });
  }, stopping.signal);
  const underWay = clients.dataverse.whoAmI(never);
  await expect.poll(() => asked).toBe(1);
  await expect(clients.dataverse.whoAmI(never)).rejects.toMatchObject({ code: "Throttled" });
  const waiting = clients.dataverse.whoAmI(never);
  await expect.poll(() => clients.governorState("Dataverse").waiting).toBe(1);
  stopping.abort(new Error("stop"));
  await expect(waiting).rejects.toMatchObject({ code: "Aborted", outcome: "NotSent" });
  await expect(clients.dataverse.whoAmI(never)).rejects.toMatchObject({ code: "Aborted", outcome: "NotSent" });
  answers[0]?.();
  await expect(underWay).resolves.toMatchObject({ organizationId: ids.OrganizationId.toLowerCase() });
  expect(asked).toBe(2);
});

test("at a stop, a call that waits for a token is given up as not sent", async () => {
  const stopping = new AbortController();
  let hasSignedIn = false;
  await start(() => {
    hasSignedIn = true; // and no answer, ever
  }, stopping.signal);
  const waiting = clients.dataverse.whoAmI(never);
  await expect.poll(() => hasSignedIn).toBe(true);
  stopping.abort(new Error("stop"));
  await expect(waiting).rejects.toMatchObject({ code: "Aborted", outcome: "NotSent" });
});
