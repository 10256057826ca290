import { Counter, type Registry } from "prom-client";
import type { TransportOptions } from "./transport.ts";

/** client-go's word for a request that got no answer. */
const noAnswer = "<error>";

/** Counts the requests to the API server, under the name that Kubernetes' own clients use. */
export function requestCounter(registry: Registry, server: string): NonNullable<TransportOptions["onRequest"]> {
  const requests = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server, by method and status; <error>: there was no answer.",
    labelNames: ["code", "method", "host"],
    registers: [registry],
  });
  const { host } = new URL(server);
  return (method, status) => requests.inc({ code: status ?? noAnswer, method, host });
}
