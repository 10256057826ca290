/** How a worker ends when calls hang or wait: soon, and with everything that it must leave. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contactMapping, Ground } from "./harness.ts";

describe("a worker that is stopped", () => {
  let ground: Ground;
  beforeEach(async () => {
    ground = await Ground.make({ contacts: 20 });
  });
  afterEach(() => ground.end());
  const poll = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 30_000, interval: 50 });

  it("does not wait for the end of a pause that Campaign asked for", async () => {
    const { control } = ground.sandbox;
    const worker = ground.start([contactMapping], { flags: ["--call-timeout-seconds", "50", "--lease-seconds", "60"] });
    await poll(() => control.countRecords({ resource: "profile" })).toBe(20);
    await poll(async () => (await worker.status()).backlog).toBe(0);
    const action = { kind: "status", status: 429, headers: { "retry-after": "3600" } } as const;
    await control.addFault({ side: "campaign", method: "PATCH", times: 1, action });
    await control.changeMany({ table: "contact", count: 20, operation: "update", cells: { lastname: "Later {n}" } });
    await poll(async () => (await worker.status()).mappings[0]?.read).toBe(40);
    await poll(async () => (await worker.get("/metrics")).body).toMatch(/calls_waiting\{service="Campaign"\} [1-9]/);
    await expectSoon(worker.stop());
    let written = 0;
    for await (const { values } of control.records({ resource: "profile" })) {
      if (String(values["lastName"]).startsWith("Later")) written += 1;
    }
    expect(worker.lastWords()).toMatchObject({ reason: "Stopped", backlog: 20 - written });
  });

  it("does not wait for a token endpoint that does not answer", async () => {
    for (const side of ["dataverse", "campaign"] as const) {
      await ground.sandbox.control.addFault({ side, action: { kind: "blackHole" } });
    }
    const worker = ground.start();
    await worker.url();
    await expectSoon(worker.stop());
    expect(worker.lastWords()).toMatchObject({ reason: "Stopped" });
  });
});

/** Far less than any wait that is left, and enough for a machine that is busy. */
async function expectSoon(exit: Promise<number | string>): Promise<void> {
  const late = new Promise((resolve) => {
    setTimeout(() => resolve("it did not end within 10 s"), 10_000).unref();
  });
  expect(await Promise.race([exit, late])).toBe(0);
}
