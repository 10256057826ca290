import type { FieldTold, ResourceTold } from "../../api/worker-metadata.ts";
import { isRecord, jsonOf } from "../http/answer.ts";
import { parseResourceMetadata } from "./resource-metadata.ts";
import type { Resources } from "./resources.ts";
import { type CampaignRest, notUnderstood } from "./rest.ts";

/** Each lists what it exposes (custom-resources.md, interacting-with-custom-resources.md). */
const endpoints = ["profileAndServicesExt", "customResources"] as const;

/** Resources and fields as people know them, for those who write a mapping; after everything that moves records. */
export class Descriptions {
  readonly #rest: CampaignRest;
  readonly #resources: Resources;

  constructor(rest: CampaignRest, resources: Resources) {
    this.#rest = rest;
    this.#resources = resources;
  }

  resources(signal: AbortSignal): Promise<readonly ResourceTold[]> {
    return this.#rest.within(signal, async (deadline) => {
      const found = new Map<string, ResourceTold>();
      for (const endpoint of endpoints) {
        for (const resource of await this.#index(endpoint, deadline)) found.set(resource.name, resource);
      }
      return [...found.values()];
    });
  }

  /** @throws CampaignError `ResourceMissing` */
  fields(resource: string, signal: AbortSignal): Promise<readonly FieldTold[]> {
    return this.#rest.within(signal, async (deadline) => {
      const answer = await this.#resources.describe(resource, deadline, "snapshot");
      const metadata = parseResourceMetadata(resource, answer, this.#rest.dialect);
      if (metadata === undefined) throw notUnderstood(`the description of ${resource}`, "it has no fields");
      const seen = new Map(isRecord(answer) ? asPeopleSee(answer["content"], "") : []);
      return [...metadata.fields.values()].map(({ name, type, rawType, target, values }) => ({
        name,
        type,
        rawType,
        ...(target === undefined ? {} : { target }),
        ...(values === undefined ? {} : { values }),
        ...seen.get(name),
      }));
    });
  }

  async #index(endpoint: string, signal: AbortSignal): Promise<readonly ResourceTold[]> {
    const operation = "the list of resources";
    const url = `${this.#rest.base}/${endpoint}/`;
    const response = await this.#rest.call({ method: "GET", url, operation, lane: "snapshot" }, signal);
    // An instance without custom resources of its own need not have that place.
    if (this.#rest.isNotHere(response) && endpoint === "customResources") return [];
    if (response.status < 200 || response.status >= 300) throw this.#rest.refused(response, operation, []);
    const answer = jsonOf(response.body);
    if (!isRecord(answer)) throw notUnderstood(operation, "it is no list");
    return Object.entries(answer).flatMap(([name, resource]) => {
      if (!isRecord(resource) || resource["type"] !== "collection") return [];
      const label = resource["label"] ?? resource["help"];
      return [{ name, ...(typeof label === "string" && label !== "" ? { label } : {}) }];
    });
  }
}

type AsSeen = Pick<FieldTold, "label" | "maxLength" | "readOnly">;

/** By the paths that `parseResourceMetadata` gives. */
function asPeopleSee(content: unknown, path: string): readonly (readonly [name: string, seen: AsSeen])[] {
  if (!isRecord(content)) return [];
  return Object.entries(content).flatMap(([key, field]) => {
    if (!isRecord(field)) return [];
    const { apiName, type, content: inner, label, length, readOnly } = field;
    const name = `${path}${typeof apiName === "string" ? apiName : key}`;
    if (type === "item") return asPeopleSee(inner, `${name}.`);
    const seen: AsSeen = {
      ...(typeof label === "string" && label !== "" ? { label } : {}),
      ...(typeof length === "number" && length > 0 ? { maxLength: length } : {}),
      ...(readOnly === true ? { readOnly } : {}),
    };
    return [[name, seen] as const];
  });
}
