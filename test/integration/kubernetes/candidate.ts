/**
 * A candidate for a lease as a process of its own, so that it can be killed and its event loop be blocked.
 * Arguments: kubeconfig or http URL, namespace, lease, identity. Runs until it is told to stop.
 */
import { existsSync } from "node:fs";
import { LeaderElection, type Leadership } from "../../../src/kubernetes/lease.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { CandidateOrder, CandidateReport } from "./candidates.ts";
import { clientOver, connectionAt, connectionTo } from "./ground.ts";

const [server = "", namespace = "", name = "", identity = "", durationSeconds = "1"] = process.argv.slice(2);
const { client, close } = clientOver(server.startsWith("http:") ? connectionAt(server) : connectionTo(server));
const stop = new AbortController();
let current: Leadership | undefined;
let blockUntil: string | undefined;

/** One clock for all processes of a machine. */
const nowMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1000;
const report = (message: CandidateReport): void => void process.send?.(message);

function held(leadership: Leadership): boolean {
  try {
    leadership.assertHeld();
    return true;
  } catch {
    return false;
  }
}

process.on("message", (order: CandidateOrder) => {
  if (order.do === "stop") return stop.abort(new Error("told to stop"));
  blockUntil = order.until;
  if (current !== undefined) block(current);
});

/** Blocks the event loop, if that was ordered and it leads. */
function block(leadership: Leadership): void {
  if (blockUntil === undefined || !held(leadership)) return;
  report({ type: "blocks" });
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(blockUntil)) Atomics.wait(nobodyWakes, 0, 0, 20);
  blockUntil = undefined;
  // Said before any timer could run.
  report({ type: "woke", held: held(leadership), aborted: leadership.signal.aborted });
}

const election = new LeaderElection({
  client,
  namespace,
  name,
  identity,
  leaseDurationSeconds: Number(durationSeconds),
  logger: silentLogger,
});

await election.run(async (leadership) => {
  current = leadership;
  report({ type: "began", atMs: nowMs() });
  block(leadership);
  const sample = setInterval(() => {
    // The time is read before the question: "held at this time" must be true of it.
    const atMs = nowMs();
    if (held(leadership)) report({ type: "held", atMs });
  }, 5);
  await new Promise((resolve) => leadership.signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(sample);
  report({ type: "ended", atMs: nowMs() });
}, stop.signal);
await close();
process.disconnect?.();
