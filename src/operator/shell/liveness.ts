import type { Cached } from "../../kubernetes/cache.ts";
import type { Informer } from "../../kubernetes/informer.ts";

type Watching = Pick<Informer<Cached>, "resource" | "lastAnswerAtMs">;

/** A watch is taken for dead after 120 s without a word and opened anew; when even that does not help, a new process may. */
const silentWatchMs = 6 * 60_000;
/** Longer than a watch that is alive is silent: when nothing at all was heard for so long, the API server is away. */
const awayMs = silentWatchMs / 2;
/** Until then a process that hears nothing is left alone: its start would be one more thing to wait for. */
const silentServerMs = 60 * 60_000;

/**
 * For liveness: why a new process may help. Not while the API server is away: who is ended again and again meanwhile
 * comes back minutes after the API server does.
 */
export function deafness(informers: readonly Watching[], nowMs: number): string | undefined {
  const silences = informers.map(({ resource, lastAnswerAtMs }) => ({ resource, ms: nowMs - lastAnswerAtMs() }));
  const longest = silences.reduce((most, one) => (one.ms > most.ms ? one : most), { resource: "", ms: 0 });
  const isAway = silences.every(({ ms }) => ms > awayMs);
  const limitMs = isAway ? silentServerMs : silentWatchMs;
  return longest.ms > limitMs ? `nothing was heard of ${longest.resource} for ${limitMs / 1000} s` : undefined;
}
