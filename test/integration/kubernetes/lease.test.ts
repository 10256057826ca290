import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { LeaderElection, type LeaderElectionOptions, NotLeadingError } from "../../../src/kubernetes/lease.ts";
import { leases } from "../../../src/kubernetes/lease-record.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { Candidate, overlaps } from "./candidates.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import { clientOver, connectionTo, freshNamespace, type TestClient } from "./ground.ts";

let own: TestClient;
let namespace: string;
const candidates: Candidate[] = [];

beforeEach(async () => {
  own = clientOver(connectionTo(inject("kubeconfig")));
  namespace = await freshNamespace(own.client);
});

afterEach(async () => {
  for (const candidate of candidates.splice(0)) await candidate.kill();
  await own.close();
});

function stand(identity: string, durationSeconds?: number, server = inject("kubeconfig")): Candidate {
  const candidate = new Candidate(server, namespace, "lead", identity, durationSeconds);
  candidates.push(candidate);
  return candidate;
}

const patience = { timeout: 60_000, interval: 10 };
const untilLeads = (candidate: Candidate): Promise<void> =>
  vi.waitFor(() => expect(candidate.leads).toBe(true), patience);
const record = () => own.client.get(leases, { namespace, name: "lead" });

test("one of two leads; when it is killed the other takes over after the lease has run out, and never both lead", async () => {
  // Long enough that a busy machine does not keep the leader from renewing it.
  const [a, b] = [stand("a", 5), stand("b", 5)];
  await vi.waitFor(() => expect(a.leads || b.leads).toBe(true), patience);
  const [leader, other] = a.leads ? [a, b] : [b, a];
  // Longer than without a renewal.
  await vi.waitFor(() => expect(span(leader)).toBeGreaterThan(6000), patience);
  expect(other.tenures).toEqual([]);
  await leader.kill();
  await untilLeads(other);
  expect(overlaps([a, b])).toEqual([]);
  const { spec } = await record();
  expect(spec).toMatchObject({ holderIdentity: other.identity, leaseDurationSeconds: 5, leaseTransitions: 1 });
  expect(spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test("a leader that is stopped releases the lease, and the other takes over long before it would run out", async () => {
  const leader = stand("leader", 600);
  await untilLeads(leader);
  const other = stand("other", 600);
  await vi.waitFor(async () => expect((await record()).spec?.holderIdentity).toBe("leader"), patience);
  await leader.stop();
  await expect.poll(async () => (await record()).spec?.holderIdentity, patience).not.toBe("leader");
  // The pause between two tries of a lease of 600 s is 80 s: a third candidate looks at once.
  const third = stand("third", 600);
  await vi.waitFor(() => expect(other.leads || third.leads).toBe(true), patience);
  expect(overlaps([leader, other, third])).toEqual([]);
});

test("a leader whose event loop was blocked for longer than the lease knows before anything else that it does not lead", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lease-"));
  const until = join(folder, "go-on");
  const leader = stand("leader");
  await untilLeads(leader);
  leader.order({ do: "block", until });
  await vi.waitFor(() => expect(leader.isBlocked).toBe(true), patience);
  const other = stand("other");
  await untilLeads(other);
  writeFileSync(until, "");
  await vi.waitFor(() => expect(leader.woke).toHaveLength(1), patience);
  // No timer has run yet, so the signal cannot know; the clock does.
  expect(leader.woke[0]).toEqual({ type: "woke", held: false, aborted: false });
  await vi.waitFor(() => expect(leader.leads).toBe(false), patience);
  expect(overlaps([leader, other])).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("a leader that cannot reach the server stops before the other takes over, and stands again after", async () => {
  const proxy = await startFaultProxy(connectionTo(inject("kubeconfig")));
  const cutOff = stand("cut-off", 1, proxy.url);
  await untilLeads(cutOff);
  const other = stand("other");
  proxy.set({ type: "blackHole" });
  proxy.resetConnections();
  await untilLeads(other);
  await vi.waitFor(() => expect(cutOff.leads).toBe(false), patience);
  expect(overlaps([cutOff, other])).toEqual([]);
  proxy.set({ type: "none" });
  await other.kill();
  await untilLeads(cutOff);
  expect(overlaps([cutOff, other])).toEqual([]);
  await proxy.stop();
});

test("a candidate leads although every answer takes longer than the pause between two tries", async () => {
  const proxy = await startFaultProxy(connectionTo(inject("kubeconfig")));
  proxy.set({ type: "slow", ms: 1000 });
  await untilLeads(stand("patient", 5, proxy.url));
  await proxy.stop();
});

test("three candidates that are frozen and killed in turn never lead at the same time", async () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const standing = [stand("x"), stand("y"), stand("z")];
  for (const [turn, name] of names.entries()) {
    await vi.waitFor(() => expect(standing.some(({ leads }) => leads)).toBe(true), patience);
    const leader = standing.find(({ leads }) => leads);
    const isFrozen = turn % 2 === 0;
    if (isFrozen) leader?.freeze();
    else await leader?.kill();
    standing.push(stand(name));
    await vi.waitFor(() => expect(standing.some((one) => one !== leader && one.leads)).toBe(true), patience);
    if (isFrozen) leader?.thaw();
  }
  expect(overlaps(standing)).toEqual([]);
});

test("a leader that ends by an error releases the lease and passes the error on", async () => {
  const election = electionOf();
  await expect(election.run(() => Promise.reject(new Error("broken")), new AbortController().signal)).rejects.toThrow(
    "broken",
  );
  expect((await record()).spec?.holderIdentity ?? "").toBe("");
});

test("a leader goes on renewing while it ends, and releases only then", async () => {
  const stop = new AbortController();
  const finish = Promise.withResolvers<void>();
  let assertHeld = (): void => {};
  const changes: boolean[] = [];
  const run = electionOf({ onChange: (leading) => changes.push(leading) }).run(async (leadership) => {
    assertHeld = leadership.assertHeld;
    stop.abort(new Error("stop"));
    await finish.promise;
  }, stop.signal);
  await vi.waitFor(() => expect(changes).toEqual([true]), patience);
  const renewals = new Set<string | undefined>();
  await vi.waitFor(
    async () => {
      const { spec } = await record();
      expect(spec?.holderIdentity).toBe("a");
      expect(renewals.add(spec?.renewTime).size).toBeGreaterThan(2);
    },
    { ...patience, interval: 200 },
  );
  assertHeld();
  expect(changes).toEqual([true]);
  finish.resolve();
  await run;
  expect((await record()).spec?.holderIdentity ?? "").toBe("");
  expect(assertHeld).toThrow(NotLeadingError);
  expect(changes).toEqual([true, false]);
});

test("a leader that ends while its renewal is on its way releases the lease as the renewal left it", async () => {
  const finish = Promise.withResolvers<void>();
  const client = new Proxy(own.client, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (name !== "update") return typeof member === "function" ? member.bind(target) : member;
      return async (...call: Parameters<typeof target.update>) => {
        const answer = await target.update(...call);
        finish.resolve();
        // The election hears of its leader's end before it hears of this answer.
        await new Promise(setImmediate);
        return answer;
      };
    },
  });
  await electionOf({ client }).run(() => finish.promise, new AbortController().signal);
  expect((await record()).spec?.holderIdentity ?? "").toBe("");
});

test("a lease that a leader could outlive is refused", () => {
  expect(() => electionOf({ leaseDurationSeconds: 1, renewDeadlineMs: 1000 })).toThrow(RangeError);
});

/** With times as in production: a release has as long as the pause between two tries, and is not tried again. */
function electionOf(options: Partial<LeaderElectionOptions> = {}): LeaderElection {
  return new LeaderElection({
    client: own.client,
    namespace,
    name: "lead",
    identity: "a",
    logger: silentLogger,
    ...options,
  });
}

function span(candidate: Candidate): number {
  const tenure = candidate.tenures.at(-1);
  return tenure === undefined ? 0 : tenure.untilMs - tenure.fromMs;
}
