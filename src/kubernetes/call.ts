import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Clock, sleep, systemClock } from "../telemetry/clock.ts";
import { type ApiError, apiErrorFrom } from "./errors.ts";
import { type Transport, type TransportRequest, type TransportResponse, unreachable } from "./transport.ts";

/** One call, before it is known when it has to end. */
export type Call = Omit<TransportRequest, "signal">;

export interface CallOptions {
  /** Time for the whole call, tries and waits included. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** A longer answer is none; for what a pod says, which may be anybody's. */
  maxBytes?: number;
}

/** What all calls of a client share. */
export interface CallContext {
  transport: Transport;
  /** The address, for messages. */
  server: string;
  /** For calls that set none. Default: 30 s. */
  timeoutMs?: number;
  clock?: Clock;
  /** Called before each write is sent, tries included; what it throws ends the call. See `Leadership.assertHeld`. */
  beforeWrite?: () => void;
}

const defaultTimeoutMs = 30_000;
const throttledTries = 4;

/**
 * Makes a call and gives the answer's text. What the server throttled (429) is sent again after its Retry-After, as long
 * as the call's time lasts; a POST never, because it is not known to be the same done once or twice.
 * @throws ApiError, ConnectionError, what `beforeWrite` throws, or the reason of the caller's signal
 */
export async function callServer(context: CallContext, call: Call, options: CallOptions): Promise<string> {
  const { transport, server, clock = systemClock, beforeWrite } = context;
  const timeoutMs = options.timeoutMs ?? context.timeoutMs ?? defaultTimeoutMs;
  const deadline = new AbortController();
  const cancel = clock.schedule(timeoutMs, () => {
    deadline.abort(unreachable(server, new Error(`${nameOf(call)} took longer than ${timeoutMs} ms`)));
  });
  const signal = options.signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, options.signal]);
  try {
    for (let tries = 1; ; tries += 1) {
      if (call.method !== "GET") beforeWrite?.();
      const answer = await transport.send({ ...call, signal });
      if (answer.status < 300) return await wholeText(server, answer, signal, options.maxBytes);
      const error = await refusalOf(call, answer, options.maxBytes);
      if (error.status !== 429 || call.method === "POST" || tries >= throttledTries) throw error;
      await sleep(clock, (error.retryAfterSeconds ?? tries) * 1000, signal);
      signal.throwIfAborted();
    }
  } finally {
    cancel();
  }
}

/** Reads an answer that is a refusal. A body that breaks off says less, but the status is the answer. */
export async function refusalOf(call: Call, answer: TransportResponse, maxBytes?: number): Promise<ApiError> {
  const retryAfter = answer.headers["retry-after"];
  const body = await textOf(answer.body, maxBytes).catch(() => "");
  return apiErrorFrom(nameOf(call), answer.status, body, typeof retryAfter === "string" ? retryAfter : undefined);
}

async function wholeText(
  server: string,
  answer: TransportResponse,
  signal: AbortSignal,
  maxBytes?: number,
): Promise<string> {
  try {
    return await textOf(answer.body, maxBytes);
  } catch (cause) {
    throw signal.aborted ? signal.reason : unreachable(server, cause);
  }
}

async function textOf(body: Readable, maxBytes = Number.POSITIVE_INFINITY): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the body, and so closes the connection.
    if (bytes > maxBytes) throw new RangeError(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  // undici frees the connection one turn after the body's end; a call sent before that would open another.
  await nextTurn();
  return Buffer.concat(chunks).toString("utf8");
}

/** How a message names a call: without its query, which is long and says nothing. */
function nameOf(call: Call): string {
  return `${call.method} ${call.path.split("?", 1)[0]}`;
}
