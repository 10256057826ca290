/** Tables and columns, resources and fields, for whoever helps a person to edit the workflow. Names, labels and types only. */
import {
  type ColumnTold,
  type FieldTold,
  type Listed,
  type MetadataAnswer,
  metadataLimits,
  type ResourceTold,
  type TableTold,
  type Told,
} from "../../api/worker-metadata.ts";
import { type Clock, sleep } from "../../telemetry/clock.ts";
import type { Logger } from "../../telemetry/log.ts";
import { ServiceError } from "../http/service-error.ts";
import { KeptAnswers } from "./kept.ts";

export interface Question {
  readonly tables: readonly string[];
  readonly resources: readonly string[];
  readonly waitMs: number;
}

export interface DeskParts {
  readonly dynamics: {
    readonly url: string;
    readonly definitions: {
      tables(signal: AbortSignal): Promise<readonly TableTold[]>;
      columns(table: string, signal: AbortSignal): Promise<readonly ColumnTold[]>;
    };
  };
  readonly campaign: {
    readonly url: string;
    readonly descriptions: {
      resources(signal: AbortSignal): Promise<readonly ResourceTold[]>;
      fields(resource: string, signal: AbortSignal): Promise<readonly FieldTold[]>;
    };
  };
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly logger: Logger;
}

const missing: ReadonlySet<string> = new Set(["TableMissing", "ResourceMissing"]);

export class MetadataDesk {
  readonly #parts: DeskParts;
  readonly #kept: KeptAnswers;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#kept = new KeptAnswers(parts.clock);
  }

  async answer(question: Question): Promise<MetadataAnswer> {
    const now = this.#look(question);
    if (![...statesOf(now)].includes("Asked")) return now;
    const { clock, stop } = this.#parts;
    const keys = ["tables", "resources", ...question.tables.map(columnsKey), ...question.resources.map(fieldsKey)];
    const enough = new AbortController();
    await Promise.race([
      this.#kept.settled(keys).then(() => enough.abort()),
      sleep(clock, question.waitMs, AbortSignal.any([stop, enough.signal])),
    ]);
    return this.#look(question);
  }

  #look({ tables, resources }: Question): MetadataAnswer {
    const { dynamics, campaign, stop } = this.#parts;
    const { definitions } = dynamics;
    const { descriptions } = campaign;
    return {
      dynamics: {
        url: dynamics.url,
        tables: this.#told("tables", () => definitions.tables(stop)),
        columns: Object.fromEntries(
          tables.map((table) => [table, this.#told(columnsKey(table), () => definitions.columns(table, stop))]),
        ),
      },
      campaign: {
        url: campaign.url,
        resources: this.#told("resources", () => descriptions.resources(stop)),
        fields: Object.fromEntries(
          resources.map((name) => [name, this.#told(fieldsKey(name), () => descriptions.fields(name, stop))]),
        ),
      },
    };
  }

  #told<Entry extends AnyEntry>(key: string, load: () => Promise<readonly Entry[]>): Told<Listed<Entry>> {
    return this.#kept.look(key, async () => {
      try {
        return { is: "Told", ...listed(await load()) };
      } catch (error) {
        return { is: isMissing(error) ? "Missing" : "Refused", message: this.#words(key, error) };
      }
    });
  }

  #words(key: string, error: unknown): string {
    if (error instanceof ServiceError) return error.message;
    this.#parts.logger.error("metadata.failed", { asked: key, error });
    return "the worker failed to ask: its log says why; please report it";
  }
}

function columnsKey(table: string): string {
  return `columns of ${table}`;
}

function fieldsKey(resource: string): string {
  return `fields of ${resource}`;
}

function* statesOf({ dynamics, campaign }: MetadataAnswer): Iterable<Told<object>["is"]> {
  yield dynamics.tables.is;
  yield campaign.resources.is;
  for (const told of [...Object.values(dynamics.columns), ...Object.values(campaign.fields)]) yield told.is;
}

function isMissing(error: unknown): boolean {
  return error instanceof ServiceError && missing.has(error.code);
}

interface AnyEntry {
  readonly name: string;
  readonly key?: unknown;
  readonly choices?: readonly unknown[];
  readonly values?: readonly unknown[];
}

/** In order of their names, the keys before the others: what is cut is the end. */
function listed<Entry extends AnyEntry>(all: readonly Entry[]): Listed<Entry> {
  const rank = ({ key }: Entry) => (key === "Primary" ? 0 : key === undefined ? 2 : 1);
  const sorted = all.toSorted((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1));
  const entries = sorted.slice(0, metadataLimits.entries).map((entry) => cut(entry));
  return { entries, left: all.length - entries.length };
}

function cut<Entry extends AnyEntry>(entry: Entry): Entry {
  const { choices = [], values = [] } = entry;
  if (Math.max(choices.length, values.length) <= metadataLimits.values) return entry;
  return {
    ...entry,
    ...(choices.length === 0 ? {} : { choices: choices.slice(0, metadataLimits.values) }),
    ...(values.length === 0 ? {} : { values: values.slice(0, metadataLimits.values) }),
  };
}
