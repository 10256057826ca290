/**
 * A candidate for a lease as a process of its own, so that it can be killed and its event loop be blocked.
 * Arguments: kubeconfig or http URL, namespace, lease, identity. Runs until it is told to stop.
 */
import { LeaderElection, type Leadership } from "../../../src/kubernetes/lease.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import type { CandidateOrder, CandidateReport } from "./candidates.ts";
import { clientOver, connectionAt, connectionTo } from "./ground.ts";

const [server = "", namespace = "", name = "", identity = "", durationSeconds = "1"] = process.argv.slice(2);
const { client, close } = clientOver(server.startsWith("http:") ? connectionAt(server) : connectionTo(server));
const stop = new AbortController();
let current: Leadership | undefined;

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
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms);
  // Said before any timer could run.
  if (current !== undefined) report({ type: "woke", held: held(current), aborted: current.signal.aborted });
});

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
