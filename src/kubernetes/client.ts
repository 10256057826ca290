import type { Readable } from "node:stream";
import { type Call, type CallContext, type CallOptions, callServer, refusalOf } from "./call.ts";
import { ConnectionError } from "./errors.ts";
import {
  apiVersionOf,
  collectionPath,
  type KubernetesObject,
  type Manifest,
  type ObjectRef,
  objectPath,
  type ResourceKind,
} from "./objects.ts";

export interface ListQuery {
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export interface Page<T> {
  items: T[];
  /** Of the whole list, the same on each of its pages. */
  resourceVersion: string;
  /** Absent on the last page. */
  continueToken: string | undefined;
}

export interface ApplyOptions extends CallOptions {
  /** Take over fields that another manager owns. Without it a clash is a conflict (409). */
  force?: boolean;
  subresource?: "status";
}

export interface PatchOptions extends CallOptions {
  subresource?: "status";
  /** The patch is refused (409) unless the object still is this one, and unchanged. */
  precondition?: Precondition;
}

export interface Precondition {
  uid?: string;
  resourceVersion?: string;
}

export interface DeleteOptions extends CallOptions {
  precondition?: Precondition;
  /** Default: Background. The owned objects are deleted after it, by the garbage collector. */
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
  gracePeriodSeconds?: number;
}

export interface ClientOptions extends CallContext {
  /** Owner of the fields of every write. */
  fieldManager: string;
}

/** The API server's patch types; sent explicitly, so that no list order picks one. */
const mergePatchType = "application/merge-patch+json";
const applyPatchType = "application/apply-patch+yaml";

const pageSize = 500;

/**
 * The verbs of the API server on plain JSON objects.
 *
 * Guarantees: what the server sent is returned as it was, unknown fields included. A refusal is an ApiError; no answer is
 * a ConnectionError, after which a write may or may not have taken effect, which is why every write takes a precondition.
 * A call that the server throttled (429) is sent again after its Retry-After within the call's time, a create never.
 */
export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** The same client, whose writes are all preceded by `beforeWrite`. */
  guarded(beforeWrite: () => void): Client {
    return new Client({ ...this.#options, beforeWrite });
  }

  async get<T extends KubernetesObject>(kind: ResourceKind<T>, ref: ObjectRef, options: CallOptions = {}): Promise<T> {
    return this.#json({ method: "GET", path: objectPath(kind, ref) }, options);
  }

  /** All objects, read page by page. For what changes, use an informer. */
  async list<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    query: ListQuery = {},
    options: CallOptions = {},
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    let continueToken: string | undefined;
    for (;;) {
      const page: Page<T> = await this.listPage(kind, { ...query, limit: pageSize, continueToken }, options);
      items.push(...page.items);
      continueToken = page.continueToken;
      if (continueToken === undefined) return { items, resourceVersion: page.resourceVersion };
    }
  }

  /** One page. @param query `limit` 0 asks for everything at once */
  async listPage<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    query: ListQuery & { limit: number; continueToken?: string | undefined },
    options: CallOptions = {},
  ): Promise<Page<T>> {
    const path = withQuery(collectionPath(kind, query.namespace), {
      ...selectors(query),
      limit: query.limit === 0 ? undefined : String(query.limit),
      continue: query.continueToken,
    });
    const list = await this.#json<ListBody<T>>({ method: "GET", path }, options);
    const apiVersion = apiVersionOf(kind);
    // Items of a list come without kind and apiVersion, those of a watch with them: make them the same.
    const items = list.items.map((item) => ({ ...item, apiVersion, kind: kind.kind }));
    return {
      items,
      resourceVersion: list.metadata.resourceVersion,
      continueToken: list.metadata.continue || undefined,
    };
  }

  /**
   * Opens a watch and resolves when the server has accepted it. The stream is lines of JSON; see `watch.ts`.
   * Only the signal ends it on this side.
   */
  async watch(
    kind: ResourceKind,
    query: ListQuery & { resourceVersion: string; timeoutSeconds: number },
    signal: AbortSignal,
  ): Promise<Readable> {
    const path = withQuery(collectionPath(kind, query.namespace), {
      ...selectors(query),
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: query.resourceVersion,
      timeoutSeconds: String(query.timeoutSeconds),
    });
    const answer = await this.#options.transport.send({ method: "GET", path, signal });
    if (answer.status !== 200) throw await refusalOf({ method: "GET", path }, answer);
    return answer.body;
  }

  /** POST. Fails with AlreadyExists (409) when the name is taken. Never sent twice. */
  async create<T extends KubernetesObject, M extends Manifest>(
    kind: ResourceKind<T>,
    object: M,
    options: CallOptions = {},
  ): Promise<T> {
    const path = withQuery(collectionPath(kind, object.metadata.namespace), this.#manager());
    return this.#json({ method: "POST", path, body: manifestJson(kind, object), ...jsonType }, options);
  }

  /**
   * PUT. `metadata.resourceVersion` (and uid) of the object are the precondition.
   * @throws ApiError Conflict when the object has changed since
   */
  async update<T extends KubernetesObject, M extends Manifest & { metadata: ObjectRef & { resourceVersion: string } }>(
    kind: ResourceKind<T>,
    object: M,
    options: CallOptions & { subresource?: "status" } = {},
  ): Promise<T> {
    const path = withQuery(objectPath(kind, object.metadata, options.subresource), this.#manager());
    return this.#json({ method: "PUT", path, body: manifestJson(kind, object), ...jsonType }, options);
  }

  /**
   * Server-side apply: the fields in `object` become this manager's, those it owned and that are left out go away.
   * Creates the object when there is none, unless `metadata.uid` is given. `metadata.uid` and `metadata.resourceVersion`
   * are preconditions (409 when they do not fit).
   */
  async apply<T extends KubernetesObject, M extends Manifest & { metadata: ObjectRef }>(
    kind: ResourceKind<T>,
    object: M,
    options: ApplyOptions = {},
  ): Promise<T> {
    const force = options.force === true ? "true" : undefined;
    const path = withQuery(objectPath(kind, object.metadata, options.subresource), { ...this.#manager(), force });
    const headers = { "content-type": applyPatchType };
    // JSON is YAML, so nothing has to be written as YAML.
    return this.#json({ method: "PATCH", path, body: manifestJson(kind, object), headers }, options);
  }

  /** JSON merge patch: null removes a field, a list is replaced whole. */
  async mergePatch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    patch: object,
    options: PatchOptions = {},
  ): Promise<T> {
    const path = withQuery(objectPath(kind, ref, options.subresource), this.#manager());
    const body = JSON.stringify(withPrecondition(patch, options.precondition));
    return this.#json({ method: "PATCH", path, body, headers: { "content-type": mergePatchType } }, options);
  }

  /**
   * Deletes one object, or starts to: what has finalizers or a grace period stays for a while and is returned as it is now.
   * @returns undefined when the server says that it is gone
   * @throws ApiError Conflict when a precondition does not fit, NotFound when it is gone
   */
  async delete<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<T | undefined> {
    const body = JSON.stringify({
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: options.propagationPolicy ?? "Background",
      preconditions: options.precondition,
      gracePeriodSeconds: options.gracePeriodSeconds,
    });
    const call: Call = { method: "DELETE", path: objectPath(kind, ref), body, ...jsonType };
    const answer = await this.#json<T>(call, options);
    return answer.kind === "Status" ? undefined : answer;
  }

  /** A GET of any path, for instance `/openapi/v3` or a pod's proxy; the body as text. */
  async getText(path: string, options: CallOptions & { accept?: string } = {}): Promise<string> {
    const headers = options.accept === undefined ? {} : { headers: { accept: options.accept } };
    return callServer(this.#options, { method: "GET", path, ...headers }, options);
  }

  #manager(): { fieldManager: string } {
    return { fieldManager: this.#options.fieldManager };
  }

  async #json<T>(request: Call, options: CallOptions): Promise<T> {
    const text = await callServer(this.#options, request, options);
    try {
      // The API server's schema stands behind the kind's type; what a CRD leaves open is checked by its reader.
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new ConnectionError(`${request.method} ${request.path}: the answer is not JSON`, { cause });
    }
  }
}

const jsonType = { headers: { "content-type": "application/json" } };

interface ListBody<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

function manifestJson(kind: ResourceKind, object: Manifest): string {
  return JSON.stringify({ apiVersion: apiVersionOf(kind), kind: kind.kind, ...object });
}

function withPrecondition(patch: object, precondition: Precondition | undefined): object {
  if (precondition === undefined) return patch;
  const metadata = "metadata" in patch && typeof patch.metadata === "object" ? patch.metadata : {};
  return { ...patch, metadata: { ...metadata, ...precondition } };
}

function selectors(query: ListQuery) {
  return { labelSelector: query.labelSelector || undefined, fieldSelector: query.fieldSelector || undefined };
}

function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}
