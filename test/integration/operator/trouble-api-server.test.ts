/** An API server in trouble, and a whole operator that goes on, behind a proxy that breaks what passes. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Fault, FaultProxy } from "../kubernetes/fault-proxy.ts";
import { ask, begin, isDone, longPatience } from "./asks.ts";
import { AuditedPlane } from "./audited-plane.ts";

const faults: readonly (readonly [string, string, Fault | ((proxy: FaultProxy) => void)])[] = [
  ["reset", "every connection is reset", { type: "reset" }],
  ["gone", "watches are answered 410 Gone", { type: "answer", to: "watch", status: 410, reason: "Expired" }],
  [
    "gone-event",
    "watches deliver an ERROR event with code 410",
    { type: "errorEvent", status: 410, reason: "Expired" },
  ],
  [
    "throttled",
    "everything is answered 429 with Retry-After",
    { type: "answer", to: "all", status: 429, reason: "TooManyRequests", retryAfterSeconds: 1 },
  ],
  ["broken", "everything is answered 500", { type: "answer", to: "all", status: 500, reason: "InternalError" }],
  ["black-hole", "connections are accepted, and nothing is answered", { type: "blackHole" }],
  ["half-open", "every open connection goes silent and stays open", (proxy) => proxy.halfOpenConnections()],
  ["cut-line", "each watch is cut in the middle of a line", (proxy) => proxy.cutNextLine()],
  ["slow", "every answer takes 10 s", { type: "slow", ms: 10_000 }],
];

let plane: AuditedPlane;
beforeAll(async () => {
  plane = await AuditedPlane.start(...faults.map(([user]) => user));
});
afterAll(() => plane?.stop());

describe.concurrent("what is asked meanwhile is done once, and a workflow that runs notices nothing, when", () => {
  test.each(faults)("[%s] %s", { timeout: 400_000 }, async (user, _what, fault) => {
    const ground = await plane.ground();
    const proxy = await plane.proxy(user);
    const operator = await plane.operator(ground, proxy);
    await begin(ground);
    const before = await ground.askedOf("steady");
    const { transitions } = await ground.status("steady");
    const mark = plane.requests().length;

    if (typeof fault === "function") fault(proxy);
    else {
      proxy.set(fault);
      if (fault.type !== "slow") proxy.resetConnections();
    }
    await ask(ground);
    await vi.waitFor(() => expect(proxy.hits()).toBeGreaterThan(3), longPatience);
    // Slow answers are answers: nobody has to mend anything for the work to be done.
    if (user !== "slow") proxy.set({ type: "none" });
    await isDone(ground, operator);

    expect(await ground.askedOf("steady")).toEqual(before);
    expect((await ground.status("steady")).transitions).toEqual(transitions);
    const again = plane.writesOf(user, mark).filter(({ name }) => name === "steady");
    expect(again).toEqual([]);
  });
});
