/**
 * The worker role as a process, watched from outside its own code: every HTTP exchange of undici is told to the parent
 * as it ends, with the time that it took from the call's sending to the last byte of its answer.
 */
import { subscribe } from "node:diagnostics_channel";
import { shutdownSignal } from "../../src/telemetry/shutdown.ts";
import { workerCommand } from "../../src/worker/command.ts";

/** One exchange over HTTP. */
export interface Exchange {
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly milliseconds: number;
}

interface Message {
  readonly request: { readonly origin: string; readonly method: string; readonly path: string };
  readonly response?: { readonly statusCode: number };
}

const sentAt = new WeakMap<object, number>();
const statuses = new WeakMap<object, number>();

subscribe("undici:client:sendHeaders", (message) => {
  sentAt.set((message as Message).request, performance.now());
});
subscribe("undici:request:headers", (message) => {
  const { request, response } = message as Message;
  statuses.set(request, response?.statusCode ?? 0);
});
subscribe("undici:request:trailers", (message) => {
  const { request } = message as Message;
  const { origin, method, path } = request;
  const milliseconds = performance.now() - (sentAt.get(request) ?? Number.NaN);
  const exchange: Exchange = {
    origin,
    method,
    path,
    status: statuses.get(request) ?? 0,
    at: Date.now(),
    milliseconds,
  };
  process.send?.(exchange);
});

await workerCommand(shutdownSignal()).parseAsync(process.argv.slice(2), { from: "user" });
