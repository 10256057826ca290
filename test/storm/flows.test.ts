/**
 * Email events and opt-outs in storms of their own, on SQLite and by several processes on PostgreSQL.
 * INTEGRATION_WORKFLOW_TEST_SEED=<seed> repeats one; `npm run bench -- storm --flow egress` or `--flow opt-in-out` looks further.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PostgresServer } from "../integration/postgres/server.ts";
import { whyNoSftpServer } from "../integration/sftp/sshd.ts";
import { flows } from "./flows.ts";
import { PostgresStores } from "./postgres-store.ts";
import { inSqlite } from "./store.ts";

const asked = process.env["INTEGRATION_WORKFLOW_TEST_SEED"];
/** 0 replicas: one process on SQLite. */
const seeds: Readonly<Record<number, readonly number[]>> = { 0: [1, 2, 3, 4, 5], 2: [6, 7], 4: [8] };
const storms = Object.entries(seeds).flatMap(([replicas, those]) =>
  (asked === undefined ? those : [Number(asked)]).map((seed) => ({ seed, replicas: Number(replicas) })),
);

let stores: PostgresStores | undefined;
const missing = { sftp: await whyNoSftpServer(), postgres: await PostgresServer.missing() };
beforeAll(async () => {
  if (missing.sftp === undefined && missing.postgres === undefined) stores = await PostgresStores.prepare();
});
afterAll(() => stores?.end());
beforeEach(({ skip }) => skip(missing.sftp !== undefined, missing.sftp));

// Ends what the storms have mounted and begun.
process.once("SIGINT", () => process.kill(process.pid, "SIGTERM"));

describe.each([
  { flow: "egress", promise: "every event is one activity, and none that a person edited is touched" },
  { flow: "opt-in-out", promise: "no opt-out is lost, and both systems say the same" },
] as const)("in a storm, $flow: $promise", ({ flow }) => {
  it.concurrent.for(storms)("seed $seed, replicas: $replicas", async ({ seed, replicas }, { skip }) => {
    skip(replicas > 0 && missing.postgres !== undefined, missing.postgres);
    const { run, gate } = flows[flow];
    const makeStore = replicas > 0 && stores !== undefined ? stores.make(replicas) : inSqlite;
    const { faults, diary, leftOut } = await run({ ...gate, seed, makeStore });
    for (const what of leftOut) console.warn(`left out of the storm: ${what}`);
    const again = `INTEGRATION_WORKFLOW_TEST_SEED=${seed} npm test -- storm`;
    expect(faults, [`once more: ${again}`, ...diary].join("\n")).toEqual([]);
  });
});
