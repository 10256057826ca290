import { requestCounter } from "../kubernetes/request-metrics.ts";
import { systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { processRegistry } from "../telemetry/process-metrics.ts";
import { serveMetrics } from "./metrics.ts";
import { People } from "./person.ts";
import { consoleServer } from "./server.ts";
import type { ConsoleSettings } from "./settings.ts";
import { Sessions } from "./sign-in/session.ts";

/** Serves the page until it is to stop. @throws when the address is in use */
export async function runConsole(settings: ConsoleSettings, logger: Logger, stop: AbortSignal): Promise<void> {
  const registry = processRegistry("console");
  const people = new People(settings.connection, requestCounter(registry, settings.connection.server));
  const sessions = new Sessions({ key: settings.sessionKey, now: Date.now });
  const server = await consoleServer({ settings, people, sessions, registry, clock: systemClock, logger });
  const { metricsAddress } = settings;
  let metrics: Awaited<ReturnType<typeof serveMetrics>> | undefined;
  try {
    if (metricsAddress !== undefined) metrics = await serveMetrics(metricsAddress, registry);
    const { host = "::", port } = settings.address;
    const url = await server.listen({ host, port });
    const { publicOrigin, signIn } = settings;
    logger.info("console.listening", { url, metrics: metrics?.url, publicOrigin, signIn: signIn.by });
    await new Promise<void>((resolve) => {
      if (stop.aborted) resolve();
      else stop.addEventListener("abort", () => resolve(), { once: true });
    });
  } finally {
    await server.close();
    await metrics?.close();
    await people.close();
  }
}
