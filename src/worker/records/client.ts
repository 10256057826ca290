import { Client } from "undici";
import type { ListenAddress } from "../../telemetry/address.ts";
import type { Complaint } from "./answers.ts";

/** A worker's answer that is none. `isQuestion`: what was asked is wrong; else the worker could not answer. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly isQuestion: boolean;

  constructor(message: string, isQuestion: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.isQuestion = isQuestion;
  }
}

const answerTimeoutMs = 60_000;
const anyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/**
 * Asks the worker in the same pod; never by way of a proxy.
 * @throws NoAnswerError
 */
export async function askWorker<Answer>(
  address: ListenAddress,
  path: string,
  body: unknown,
  stop: AbortSignal,
): Promise<Answer> {
  const host = address.host === undefined || anyAddress.has(address.host) ? "127.0.0.1" : address.host;
  const origin = `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
  const client = new Client(origin);
  try {
    const { statusCode, body: answer } = await client.request({
      path,
      signal: AbortSignal.any([stop, AbortSignal.timeout(answerTimeoutMs)]),
      ...(body === undefined
        ? { method: "GET" }
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (statusCode === 200) return JSON.parse(text) as Answer; // The worker is of this same program.
    throw new NoAnswerError(complaintOf(text, origin, statusCode), statusCode === 400 || statusCode === 404);
  } catch (error) {
    if (error instanceof NoAnswerError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new NoAnswerError(
      `no worker answers at ${origin}: ${why}. Run this in a worker's pod while the workflow runs: ` +
        "kubectl exec deploy/NAME -- integration-workflow ...; --address says where else it listens",
      false,
      error,
    );
  } finally {
    await client.destroy();
  }
}

function complaintOf(text: string, origin: string, statusCode: number): string {
  try {
    const { message } = JSON.parse(text) as Partial<Complaint>;
    if (typeof message === "string") return message;
  } catch {
    // Said below.
  }
  return `what answers at ${origin} is no worker of this version: HTTP ${statusCode}`;
}
