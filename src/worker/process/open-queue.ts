import { join } from "node:path";
import type { WorkflowConfiguration } from "../../api/configuration.ts";
import type { Logger } from "../../telemetry/log.ts";
import { readCredentials, secretInWords } from "../http/credentials.ts";
import { storeFullMessage } from "../queue/errors.ts";
import type { Outage, Queue } from "../queue/interface.ts";
import { openPostgresQueue } from "../queue/postgres/postgres-queue.ts";
import type { StoreWait } from "../queue/sqlite/open.ts";
import { openSqliteQueue } from "../queue/sqlite/sqlite-queue.ts";

interface Place {
  readonly stateDirectory: string;
  readonly credentialsDirectory: string;
  readonly readingLeaseMs?: number | undefined;
}

interface Opening {
  readonly logger: Logger;
  readonly stop: AbortSignal;
  /** Told why, each time that the opening has to wait. */
  readonly waits: (outage: Outage) => void;
}

const waitsOf: Readonly<Record<StoreWait, Outage>> = {
  StoreFull: { reason: "StoreFull", message: storeFullMessage },
  StoreLocked: {
    reason: "StoreLocked",
    message: "the queue's store is not open yet: another worker may still be ending",
  },
};

/** Opens the workflow's queue, wherever it is to be. @throws StoreError, CredentialsError; the reason when it is stopped */
export function openQueue(
  { stateDirectory: directory, credentialsDirectory, readingLeaseMs }: Place,
  { spec, workflow }: WorkflowConfiguration,
  caBundle: string | undefined,
  { logger, stop, waits }: Opening,
): Promise<Queue> {
  const { postgres } = spec.queue;
  if (postgres === undefined) {
    return openSqliteQueue({ directory, now: Date.now, logger, waits: (why) => waits(waitsOf[why]) }, stop);
  }
  const { name: secretName } = postgres.credentialsSecretRef;
  const source = { side: "queue.postgres", directory: join(credentialsDirectory, "postgres"), secretName };
  return openPostgresQueue(
    {
      url: async () => (await readCredentials(source, ["url"], [])).url,
      secret: secretInWords(source),
      ...(caBundle === undefined ? {} : { caBundle }),
      workflow,
      readingLeaseMs,
      logger,
      waits,
    },
    stop,
  );
}
