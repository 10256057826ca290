import { randomUUID } from "node:crypto";
import { headerOf, isRecord, jsonOf, retryAfterSeconds } from "../http/answer.ts";
import type { Service } from "../http/service.ts";
import { DataverseError, ServiceError } from "../http/service-error.ts";
import type { HttpRequest, HttpResponse } from "../http/transport.ts";
import { batchAnswers, batchBody } from "./batch.ts";
import type { TableMetadata } from "./interface.ts";
import { dataverseError } from "./refusal.ts";

/** A row with the id that it is to have. */
export interface NewRow {
  readonly id: string;
  readonly row: Readonly<Record<string, unknown>>;
}

/** `There`: a row with this id exists already, from an earlier try or with a person's edits since; it was not touched. */
export type Creation = "Created" | "There" | ServiceError;

export type CreationTable = Pick<TableMetadata, "table" | "entitySet" | "primaryId">;

/** webapi/execute-batch-operations-using-web-api.md */
const largestBatch = 1000;
/** Up to so many rows, telling the bad one by a batch costs less than halving on. */
const smallestBulk = 16;

const standardHeaders = { accept: "application/json", "odata-version": "4.0", "odata-maxversion": "4.0" } as const;

/** Makes rows with ids of our choice, and never changes one that is there. */
export class RowCreation {
  readonly #service: Service;
  /** `https://contoso.crm.dynamics.com/api/data/v9.2/` */
  readonly #root: string;
  /** Tables that said that they have no CreateMultiple. */
  readonly #withoutBulk = new Set<string>();

  constructor(root: string, service: Service) {
    this.#root = root;
    this.#service = service;
  }

  /**
   * Rows that were never tried before, all in one call. A bulk that is refused was not done; it is halved until the row
   * that is at fault stands alone, so that this row costs only itself.
   * @returns what became of each, in their order
   */
  async createNew(table: CreationTable, rows: readonly NewRow[], signal: AbortSignal): Promise<readonly Creation[]> {
    if (rows.length <= smallestBulk || this.#withoutBulk.has(table.table)) {
      return await this.createEach(table, rows, signal);
    }
    try {
      await this.#createMultiple(table, rows, signal);
      return rows.map(() => "Created");
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (isWithoutBulk(error)) {
        this.#withoutBulk.add(table.table);
        return await this.createEach(table, rows, signal);
      }
      if (error.outcome !== "Refused" || error.scope !== "Record") return rows.map(() => error);
      const half = Math.ceil(rows.length / 2);
      const first = await this.createNew(table, rows.slice(0, half), signal);
      const rest = rows.slice(half);
      const failure = first.find(concernsAll);
      return [
        ...first,
        ...(failure === undefined ? await this.createNew(table, rest, signal) : rest.map(() => failure)),
      ];
    }
  }

  /**
   * Rows that may have been tried before: each on its own, and only where there is none of its id
   * (perform-conditional-operations-using-web-api.md, "Prevent update in upsert").
   * @returns what became of each, in their order
   */
  async createEach(table: CreationTable, rows: readonly NewRow[], signal: AbortSignal): Promise<readonly Creation[]> {
    const creations: Creation[] = [];
    for (let at = 0; at < rows.length; at += largestBatch) {
      const failure = creations.find(concernsAll);
      if (failure !== undefined) return [...creations, ...rows.slice(at).map(() => failure)];
      creations.push(...(await this.#createBatch(table, rows.slice(at, at + largestBatch), signal)));
    }
    return creations;
  }

  async #createMultiple({ table, entitySet, primaryId }: CreationTable, rows: readonly NewRow[], signal: AbortSignal) {
    const operation = `the creation of rows of ${table}`;
    const targets = rows.map(({ id, row }) => ({
      "@odata.type": `Microsoft.Dynamics.CRM.${table}`,
      [primaryId]: id,
      ...row,
    }));
    const url = `${this.#root}${entitySet}/Microsoft.Dynamics.CRM.CreateMultiple`;
    const body = JSON.stringify({ Targets: targets });
    const headers = { ...standardHeaders, "content-type": "application/json" };
    const response = await this.#send(operation, { method: "POST", url, headers, body }, signal);
    if (response.status >= 300) throw dataverseError(response, operation, namesOf(table, rows));
    const answer = jsonOf(response.body);
    const ids = isRecord(answer) ? answer["Ids"] : undefined;
    if (!Array.isArray(ids) || ids.length !== rows.length) throw badAnswer(operation);
  }

  async #createBatch(table: CreationTable, rows: readonly NewRow[], signal: AbortSignal): Promise<readonly Creation[]> {
    const operation = `the creation of rows of ${table.table}`;
    const known = namesOf(table.table, rows);
    const requests = rows.map(({ id, row }): HttpRequest => {
      const headers = { ...standardHeaders, "content-type": "application/json", "if-none-match": "*" };
      return { method: "PATCH", url: `${this.#root}${table.entitySet}(${id})`, headers, body: JSON.stringify(row) };
    });
    const boundary = `batch_${randomUUID()}`;
    const headers = {
      ...standardHeaders,
      "content-type": `multipart/mixed; boundary=${boundary}`,
      prefer: "odata.continue-on-error",
    };
    const body = batchBody(requests, boundary);
    try {
      const response = await this.#send(
        operation,
        { method: "POST", url: `${this.#root}$batch`, headers, body },
        signal,
      );
      if (response.status >= 300) throw dataverseError(response, operation, known);
      const answers = batchAnswers(response);
      return rows.map((_, index) => creationOf(answers[index], operation, known));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return rows.map(() => error);
    }
  }

  #send(operation: string, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    return this.#service.within(signal, (deadline) =>
      this.#service.call({ operation, lane: "write", ...request }, deadline),
    );
  }
}

/**
 * Not every table has CreateMultiple (bulk-operations.md, "Availability with standard tables"): it is then no part of the
 * address, or refused with 0x80040800. A table that is missing says so again to what is tried instead.
 */
function isWithoutBulk({ code, serviceCode }: ServiceError): boolean {
  return code === "TableMissing" || serviceCode === "0x80040800";
}

/** What another row would meet too: there is no sense in going on. */
function concernsAll(creation: Creation): boolean {
  return creation instanceof ServiceError && creation.scope !== "Record";
}

function creationOf(answer: HttpResponse | undefined, operation: string, known: readonly string[]): Creation {
  if (answer === undefined) return badAnswer(operation);
  if (answer.status < 300) return "Created";
  if (answer.status === 412) return "There";
  if (answer.status !== 429) return dataverseError(answer, operation, known);
  return new DataverseError(`Dataverse: ${operation} was throttled (429)`, {
    code: "Throttled",
    outcome: "Refused",
    status: 429,
    requestId: headerOf(answer.headers, "x-ms-service-request-id"),
    retryAfterSeconds: retryAfterSeconds(answer.headers),
  });
}

function badAnswer(operation: string): DataverseError {
  return new DataverseError(`Dataverse answered ${operation} in a way that is not understood`, {
    code: "BadResponse",
    outcome: "Unknown",
  });
}

/** What a server's message may name: tables and columns. */
function namesOf(table: string, rows: readonly NewRow[]): readonly string[] {
  return [table, ...Object.keys(rows[0]?.row ?? {}).map((name) => name.replace(/@.*$/, ""))];
}
