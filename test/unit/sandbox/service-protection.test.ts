import { describe, expect, it } from "vitest";
import type { SandboxAnswer } from "../../../src/sandbox/answer.ts";
import {
  defaultProtection,
  type ProtectionSettings,
  ServiceProtection,
} from "../../../src/sandbox/dataverse/service-protection.ts";

const answer: SandboxAnswer = { endpoint: "x", status: 200, headers: {}, body: "", rows: 100 };

/** A service whose time moves only when the test says so, or when a call costs time. */
function service(settings: Partial<ProtectionSettings>) {
  const time = { now: 1_000_000_000_000 };
  const protection = new ServiceProtection(
    { ...defaultProtection, enabled: true, ...settings },
    {
      now: () => time.now,
      factor: 1,
      sleep: async (milliseconds) => {
        time.now += milliseconds;
      },
    },
  );
  const call = () => protection.run("user", async () => answer);
  return { time, protection, call };
}

describe("service protection", () => {
  it("refuses the request beyond the limit of requests with 0x80072322 and Retry-After, until the window has moved", async () => {
    const { call, time } = service({ requests: 5 });
    for (let n = 0; n < 5; n += 1) await call();
    await expect(call()).rejects.toMatchObject({ status: 429, code: "0x80072322", headers: { "retry-after": "30" } });
    time.now += 301_000;
    await expect(call()).resolves.toMatchObject({ status: 200 });
  });

  it("keeps the window sliding: room appears as old requests leave it", async () => {
    const { call, time } = service({ requests: 4, windowSeconds: 10 });
    await call();
    await call();
    time.now += 6_000;
    await call();
    await call();
    time.now += 5_000;
    await call();
    await call();
    await expect(call()).rejects.toMatchObject({ status: 429 });
  });

  it("refuses by execution time with 0x80072321", async () => {
    const { call } = service({ executionSeconds: 10, requestCostMilliseconds: 1000, rowCostMilliseconds: 40 });
    await call();
    await call();
    await expect(call()).rejects.toMatchObject({ status: 429, code: "0x80072321" });
  });

  it("refuses the concurrent request beyond the limit at once with 0x80072326", async () => {
    const { protection } = service({ concurrentRequests: 2 });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = () => protection.run("user", () => held.then(() => answer));
    const running = [slow(), slow()];
    await expect(slow()).rejects.toMatchObject({ status: 429, code: "0x80072326" });
    await expect(protection.run("another user", async () => answer)).resolves.toMatchObject({ status: 200 });
    release();
    await Promise.all(running);
  });

  it("asks for more patience from whom pushes on", async () => {
    const { call } = service({ requests: 1 });
    await call();
    const waits: number[] = [];
    for (let n = 0; n < 40; n += 1) {
      await call().catch((refusal: { headers: Record<string, string> }) =>
        waits.push(Number(refusal.headers["retry-after"])),
      );
    }
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? 0);
  });

  it("tells what remains, and refuses nothing while it is off", async () => {
    const { call } = service({ enabled: false, requests: 1 });
    await call();
    const { headers } = await call();
    expect(headers["x-ms-ratelimit-burst-remaining-xrm-requests"]).toBe("0");
  });
});
