import type { SandboxAnswer, SandboxRequest } from "../answer.ts";
import { header } from "../answer.ts";
import { refusalAnswer } from "./answers.ts";
import { type BatchAnswer, type BatchItem, type BatchOperation, parseBatch, writeBatch } from "./batch-body.ts";
import { badRequest, DataverseRefusal } from "./errors.ts";
import { serviceRoot } from "./links.ts";
import type { Organization } from "./organization.ts";
import { type Preferences, parsePreferences } from "./preferences.ts";
import { answerWebApi } from "./web-api.ts";

/** Source: webapi/execute-batch-operations-using-web-api.md */
const largestBatch = 1000;

/** Addresses of what a change set made, by Content-ID. */
type References = Map<string, string>;

/**
 * `POST $batch`: operations in order, up to the first that fails unless `Prefer: odata.continue-on-error`; a change set
 * wholly or not at all.
 * @throws DataverseRefusal for what is no batch, or one that is too large; then nothing was done
 */
export function answerBatch(
  organization: Organization,
  request: SandboxRequest,
  preferences: Preferences,
): SandboxAnswer {
  const items = parseBatch(header(request, "content-type"), request.body);
  checkSize(items);
  const answers: BatchAnswer[] = [];
  let firstFailure: number | undefined;
  for (const item of items) {
    const answer =
      item.kind === "operation"
        ? single(organization, request, item.operation)
        : changeSet(organization, request, item.operations);
    answers.push(answer);
    firstFailure ??= flat([answer]).find((one) => one.status >= 400)?.status;
    if (firstFailure !== undefined && !preferences.continueOnError) break;
  }
  const { contentType, body } = writeBatch(answers);
  const done = flat(answers);
  return {
    endpoint: "$batch",
    status: preferences.continueOnError ? 200 : (firstFailure ?? 200),
    headers: { "odata-version": "4.0", "content-type": contentType },
    body,
    rows: done.reduce((sum, one) => sum + (one.rows ?? 0), 0),
    operations: done.reduce((sum, one) => sum + (one.operations ?? one.rows ?? 1), 0),
  };
}

function flat(answers: readonly BatchAnswer[]): readonly SandboxAnswer[] {
  return answers.flatMap((one) => (one.kind === "operation" ? [one.answer] : one.answers.map(({ answer }) => answer)));
}

/** The service's words are those that callers met: see README.md. */
function checkSize(items: readonly BatchItem[]): void {
  let total = 0;
  for (const item of items) {
    const size = item.kind === "operation" ? 1 : item.operations.length;
    total += size;
    if (item.kind === "changeSet" && size > largestBatch) {
      throw badRequest(
        `The current change set contains too many operations. A maximum number of '${largestBatch}' operations are allowed in a change set.`,
        "0x80060888",
      );
    }
  }
  if (total > largestBatch) {
    throw badRequest(
      `The current batch message contains too many parts. Only batch messages with a maximum number of '${largestBatch}' ` +
        "query operations, including changeset operations, are allowed.",
      "0x80060888",
    );
  }
}

function single(organization: Organization, batch: SandboxRequest, operation: BatchOperation): BatchAnswer {
  const preferences = parsePreferences(operation.headers["prefer"]);
  try {
    return { kind: "operation", answer: perform(organization, batch, operation, preferences, new Map()) };
  } catch (error) {
    if (error instanceof DataverseRefusal) return { kind: "operation", answer: refusalAnswer(error, preferences) };
    throw error;
  }
}

/** A change set that fails is answered by its first failure alone. */
function changeSet(
  organization: Organization,
  batch: SandboxRequest,
  operations: readonly BatchOperation[],
): BatchAnswer {
  const references: References = new Map();
  let current = operations[0];
  try {
    const answers = organization.transaction(() =>
      operations.map((operation) => {
        current = operation;
        if (operation.method === "GET") throw badRequest("GET requests are not allowed in a change set.", "0x80060888");
        const preferences = parsePreferences(operation.headers["prefer"]);
        const answer = perform(organization, batch, operation, preferences, references);
        const address = answer.headers["odata-entityid"];
        if (operation.contentId !== undefined && address !== undefined) references.set(operation.contentId, address);
        return { contentId: operation.contentId, answer };
      }),
    );
    return { kind: "changeSet", answers };
  } catch (error) {
    if (!(error instanceof DataverseRefusal)) throw error;
    const answer = refusalAnswer(error, parsePreferences(current?.headers["prefer"]));
    return { kind: "changeSet", answers: [{ contentId: current?.contentId, answer }] };
  }
}

function perform(
  organization: Organization,
  batch: SandboxRequest,
  operation: BatchOperation,
  preferences: Preferences,
  references: References,
): SandboxAnswer {
  const target = targetOf(batch, dereference(operation.url, references));
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path.endsWith("/$batch")) throw badRequest("A batch cannot contain other batch requests.", "0x80060888");
  return answerWebApi(
    organization,
    {
      method: operation.method,
      target,
      path,
      query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
      headers: operation.headers,
      origin: batch.origin,
      arrivedAt: batch.arrivedAt,
      body: dereferenceBody(operation.body, references),
    },
    preferences,
  );
}

/** Path and query from the root, however the URL was written. */
function targetOf(batch: SandboxRequest, url: string): string {
  if (url.startsWith("/")) return url;
  const absolute = /^https?:\/\/[^/]+(\/.*)$/.exec(url)?.[1];
  return absolute ?? `${serviceRoot(batch).slice(batch.origin.length)}${url}`;
}

/** `$1` and `$1/lastname` → the address that the operation with this Content-ID made. */
function dereference(text: string, references: References): string {
  const match = /^\/?\$(\w+)(?=\/|$)/.exec(text);
  if (match === null || text === "$batch") return text;
  const address = references.get(match[1] ?? "");
  if (address === undefined)
    throw badRequest(`Content-ID Reference: '$${match[1]}' does not exist in the batch context.`, "0x80060888");
  return address + text.slice(match[0].length);
}

/** References stand in a body where an address may stand: in `...@odata.bind` and in `@odata.id`. */
function dereferenceBody(body: string, references: References): string {
  if (!/"\/?\$\w+"/.test(body)) return body;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return body;
  }
  return JSON.stringify(parsed, (name, value) =>
    typeof value === "string" && (name.endsWith("@odata.bind") || name === "@odata.id")
      ? dereference(value, references)
      : value,
  );
}
