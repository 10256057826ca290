/** When the systems are asked for their metadata, and what is done meanwhile. */
import { setImmediate as immediate } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { Clock } from "../../../../src/telemetry/clock.ts";
import type { Campaign } from "../../../../src/worker/campaign/interface.ts";
import { CampaignError, ServiceError } from "../../../../src/worker/http/service-error.ts";
import { EngineGround, type EngineGroundOptions, idOf } from "./engine-ground.ts";

const away = () => new ServiceError("it is away", { code: "Outage", outcome: "Unknown", status: 503 });
const refused = () => new CampaignError("Campaign refused it", { code: "Refused", outcome: "Refused", status: 400 });
const later = (clock: Clock, delayMs: number) => new Promise<void>((resolve) => clock.schedule(delayMs, resolve));

async function made(contacts: number, options: EngineGroundOptions): Promise<EngineGround> {
  const ground = await EngineGround.make(contacts, options);
  onTestFinished(() => ground.end());
  return ground;
}

it("leaves a system alone for longer and longer that is away from the start", async () => {
  let asked = 0;
  const campaign = (client: Campaign): Campaign => ({
    ...client,
    resourceMetadata: async () => {
      asked += 1;
      await immediate();
      throw away();
    },
  });
  const { clock } = await made(1, { campaign });
  await clock.until(() => clock.now() > 300_000 || asked > 100, 400_000);
  expect(asked).toBeLessThan(100);
});

it("buries a record that is refused, however long a check of the metadata takes", async () => {
  let isSlow = false;
  const ground = await made(1, {
    campaign: (client) => ({
      ...client,
      resourceMetadata: async (...question) => {
        if (isSlow) await later(ground.clock, 20_000);
        return client.resourceMetadata(...question);
      },
      insert: (resource, fields, signal) =>
        fields["name"] === "Bad" ? Promise.reject(refused()) : client.insert(resource, fields, signal),
    }),
  });
  await ground.settled();
  isSlow = true;
  await ground.clock.until(() => ground.clock.now() > 30_000, 40_000);
  ground.source.put(idOf(7), "Bad");
  await ground.clock.until(async () => (await ground.counts()).dead === 1, 120_000);
});

it("tries a record less and less often that is refused while no check can be made", async () => {
  let tries = 0;
  let isAway = false;
  const ground = await made(2, {
    dataverse: (client) => ({
      ...client,
      tableMetadata: (...question) => (isAway ? Promise.reject(away()) : client.tableMetadata(...question)),
    }),
    campaign: (client) => ({
      ...client,
      insert: (resource, fields, signal) => {
        if (fields["name"] !== "Bad") return client.insert(resource, fields, signal);
        tries += 1;
        return Promise.reject(refused());
      },
    }),
  });
  await ground.settled();
  isAway = true;
  await ground.clock.until(() => ground.clock.now() > 30_000, 40_000);
  ground.source.put(idOf(7), "Bad");
  await ground.clock.until(() => ground.clock.now() > 630_000, 700_000);
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(30);
  expect(await ground.counts()).toMatchObject({ pending: 1, dead: 0 });
  isAway = false;
  await ground.clock.until(async () => (await ground.counts()).dead === 1, 200_000);
});

it("reads what changed while Campaign is away, whatever is published in Dataverse", async () => {
  let isAway = false;
  let schemaVersion = "1";
  const ground = await made(1, {
    dataverse: (client) => ({
      ...client,
      readTracked: async (...question) => ({ ...(await client.readTracked(...question)), schemaVersion }),
    }),
    campaign: (client) => ({
      ...client,
      resourceMetadata: (...question) => (isAway ? Promise.reject(away()) : client.resourceMetadata(...question)),
      insert: (...question) => (isAway ? Promise.reject(away()) : client.insert(...question)),
    }),
  });
  await ground.settled();
  isAway = true;
  await ground.clock.until(() => ground.clock.now() > 200_000, 300_000);
  schemaVersion = "2";
  ground.source.put(idOf(7), "New");
  await ground.clock.until(async () => (await ground.counts()).pending === 1, 200_000);
});

it("reads on while Campaign leaves every question without an answer", async () => {
  let isSilent = false;
  let pages = 0;
  const ground = await made(1, {
    dataverse: (client) => ({
      ...client,
      readTracked: (...question) => {
        pages += 1;
        return client.readTracked(...question);
      },
    }),
    campaign: (client) => ({
      ...client,
      resourceMetadata: async (...question) => {
        if (!isSilent) return client.resourceMetadata(...question);
        await later(ground.clock, 60_000);
        throw away();
      },
    }),
  });
  await ground.settled();
  isSilent = true;
  await ground.clock.until(() => ground.clock.now() > 70_000, 100_000);
  pages = 0;
  await ground.clock.until(() => ground.clock.now() > 670_000, 700_000);
  expect(pages).toBeGreaterThan(60);
});

it("looks soon when reading meets just after a check what every record meets, and then takes its time", async () => {
  const checksAt: number[] = [];
  const ground = await made(1, {
    dataverse: (client) => ({
      ...client,
      tableMetadata: (...question) => {
        checksAt.push(ground.clock.now());
        return client.tableMetadata(...question);
      },
      readTracked: () =>
        Promise.reject(
          new ServiceError("no such property", { code: "ColumnMissing", outcome: "Refused", status: 400 }),
        ),
    }),
  });
  await ground.clock.until(() => checksAt.length === 3, 200_000);
  const [first = 0, second = 0, third = 0] = checksAt;
  expect(second - first).toBeLessThan(30_000);
  expect(third - second).toBeGreaterThanOrEqual(60_000);
});
