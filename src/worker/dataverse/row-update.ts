import { exactJsonOf, isRecord } from "../http/answer.ts";
import type { Service } from "../http/service.ts";
import type { TableMetadata } from "./interface.ts";
import { dataverseError, doesNotExist, refusalOf } from "./refusal.ts";
import { parseRecord } from "./tracked-page.ts";

/**
 * `Updated`: done; `version` is the row's by it, where the answer tells. `Changed`: somebody wrote the row after it was
 * read. `Missing`: there is no such row. Neither of those two did anything.
 */
export type RowUpdated =
  | { readonly is: "Updated"; readonly version: bigint | undefined }
  | { readonly is: "Changed" | "Missing" };

/** Changes rows that nobody else has changed since they were read. */
export class RowUpdate {
  readonly #service: Service;
  /** `https://contoso.crm.dynamics.com/api/data/v9.2/` */
  readonly #root: string;

  constructor(root: string, service: Service) {
    this.#root = root;
    this.#service = service;
  }

  /**
   * Source: webapi/perform-conditional-operations-using-web-api.md, "Apply optimistic concurrency on update": 412
   * Precondition Failed when the row has another version; update-delete-entities-using-web-api.md, "Update with data
   * returned".
   *
   * @param version of the row as it was read
   * @throws DataverseError, whose `outcome` says what is known of the write
   */
  async update(
    metadata: TableMetadata,
    id: string,
    cells: Readonly<Record<string, unknown>>,
    version: bigint,
    signal: AbortSignal,
  ): Promise<RowUpdated> {
    const { table, entitySet, primaryId, versionNumber } = metadata;
    const operation = `the update of a row of ${table}`;
    const shown = [primaryId, ...(versionNumber === true ? ["versionnumber"] : [])].join(",");
    const response = await this.#service.within(signal, (deadline) =>
      this.#service.call(
        {
          operation,
          lane: "write",
          method: "PATCH",
          url: `${this.#root}${entitySet}(${encodeURIComponent(id)})?$select=${shown}`,
          headers: {
            accept: "application/json",
            "content-type": "application/json",
            "odata-version": "4.0",
            "odata-maxversion": "4.0",
            "if-match": `W/"${version}"`,
            prefer: "return=representation",
          },
          body: JSON.stringify(cells),
        },
        deadline,
      ),
    );
    if (response.status === 412) return { is: "Changed" };
    // Any other 404 (the table is gone, the address is wrong) must not be taken for a row that was deleted.
    if (response.status === 404 && refusalOf(response).code === doesNotExist) return { is: "Missing" };
    if (response.status >= 300) throw dataverseError(response, operation, [table, entitySet, ...Object.keys(cells)]);
    // Done in any case: an answer that does not tell the version is no failure.
    const answer = exactJsonOf(response.body);
    const record = isRecord(answer) ? parseRecord(answer, metadata) : undefined;
    return { is: "Updated", version: typeof record === "object" ? record.version : undefined };
  }
}
