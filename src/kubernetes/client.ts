import type { Readable } from "node:stream";
import { type Call, type CallContext, type CallOptions, callServer, refusalOf } from "./call.ts";
import { ConnectionError } from "./errors.ts";
import { readList } from "./list-text.ts";
import {
  apiVersionOf,
  collectionPath,
  type KubernetesObject,
  type Manifest,
  type ObjectRef,
  objectPath,
  type ResourceKind,
} from "./objects.ts";
import type { ReadJson } from "./partial-read.ts";

export interface ListQuery {
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export interface ListOptions extends CallOptions {
  /** Parses one object of the list. */
  read?: ReadJson;
}

export interface PageQuery extends ListQuery {
  limit: number;
  continueToken?: string | undefined;
}

export interface Page<T> {
  items: T[];
  /** Of the whole list, the same on each of its pages. */
  resourceVersion: string;
  /** Absent on the last page. */
  continueToken: string | undefined;
}

export interface WriteOptions extends CallOptions {
  /** The server does everything but store it: admission, schema, conflicts. */
  dryRun?: boolean;
}

/** One step of a JSON Patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: "test" | "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

export interface ApplyOptions extends WriteOptions {
  /** Take over fields that another manager owns. Without it a clash is a conflict (409). */
  force?: boolean;
  subresource?: "status";
}

export interface AnswerOptions {
  /** Only the metadata comes back: enough for whoever notes the write, and a fraction of the object. */
  answer?: "metadata";
}

export interface PatchOptions extends CallOptions, AnswerOptions {
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
const jsonPatchType = "application/json-patch+json";
const mergePatchType = "application/merge-patch+json";
const applyPatchType = "application/apply-patch+yaml";

const pageSize = 100;

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

  /** What an object is called, and which version of it there is: a fraction of the object. */
  async getMetadata<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T["metadata"]> {
    const headers = acceptOf({ answer: "metadata" });
    return (await this.#json<T>({ method: "GET", path: objectPath(kind, ref), headers }, options)).metadata;
  }

  /** All objects, read page by page. For what changes, use an informer. */
  async list<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    query: ListQuery = {},
    options: ListOptions = {},
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
    query: PageQuery,
    options: ListOptions = {},
  ): Promise<Page<T>> {
    const items: T[] = [];
    const page = await this.visitPage(kind, query, (item) => items.push(item), options);
    return { items, ...page };
  }

  /** One page, of which each object is handed on as soon as it is read, and only then the next is read. */
  async visitPage<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    query: PageQuery,
    visit: (item: T) => void,
    options: ListOptions = {},
  ): Promise<Omit<Page<T>, "items">> {
    const path = withQuery(collectionPath(kind, query.namespace), {
      ...selectors(query),
      limit: query.limit === 0 ? undefined : String(query.limit),
      continue: query.continueToken,
    });
    const call: Call = { method: "GET", path };
    const text = await callServer(this.#options, call, options);
    const apiVersion = apiVersionOf(kind);
    const { metadata } = read(call, () =>
      // Items of a list come without kind and apiVersion, those of a watch with them: make them the same.
      readList(text, (item) => visit(Object.assign(item as T, { apiVersion, kind: kind.kind })), options.read),
    );
    return { resourceVersion: metadata.resourceVersion, continueToken: metadata.continue || undefined };
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
    options: WriteOptions & AnswerOptions = {},
  ): Promise<T> {
    const query = { ...this.#manager(), dryRun: dryRunOf(options) };
    const path = withQuery(collectionPath(kind, object.metadata.namespace), query);
    const headers = { ...jsonType.headers, ...acceptOf(options) };
    return this.#json({ method: "POST", path, body: manifestJson(kind, object), headers }, options);
  }

  /**
   * PUT. `metadata.resourceVersion` (and uid) of the object are the precondition. To the subresource `status`, the object may
   * be no more than its metadata and its status.
   * @throws ApiError Conflict when the object has changed since
   */
  async update<T extends KubernetesObject, M extends Manifest & { metadata: ObjectRef & { resourceVersion: string } }>(
    kind: ResourceKind<T>,
    object: M,
    options: CallOptions & AnswerOptions & { subresource?: "status" } = {},
  ): Promise<T> {
    const path = withQuery(objectPath(kind, object.metadata, options.subresource), this.#manager());
    const headers = { ...jsonType.headers, ...acceptOf(options) };
    return this.#json({ method: "PUT", path, body: manifestJson(kind, object), headers }, options);
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
    const query = { ...this.#manager(), force, dryRun: dryRunOf(options) };
    const path = withQuery(objectPath(kind, object.metadata, options.subresource), query);
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
    const headers = { "content-type": mergePatchType, ...acceptOf(options) };
    return this.#json({ method: "PATCH", path, body, headers }, options);
  }

  /**
   * JSON Patch. A `test` that does not hold refuses all of it (422, reason Invalid); so does a path that is not there.
   * `test` of metadata/generation or metadata/uid makes a precondition that counters in the status do not break.
   */
  async jsonPatch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    patch: readonly PatchOperation[],
    options: WriteOptions = {},
  ): Promise<T> {
    const path = withQuery(objectPath(kind, ref), { ...this.#manager(), dryRun: dryRunOf(options) });
    const headers = { "content-type": jsonPatchType };
    return this.#json({ method: "PATCH", path, body: JSON.stringify(patch), headers }, options);
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
    // The API server's schema stands behind the kind's type; what a CRD leaves open is checked by its reader.
    return read(request, () => JSON.parse(text) as T);
  }
}

/** @throws ConnectionError when the answer is not JSON: it was cut, or somebody else has answered */
function read<T>({ method, path }: Call, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ConnectionError(`${method} ${path}: the answer is not JSON`, { cause });
  }
}

const jsonType = { headers: { "content-type": "application/json" } };

function manifestJson(kind: ResourceKind, object: Manifest): string {
  return JSON.stringify({ apiVersion: apiVersionOf(kind), kind: kind.kind, ...object });
}

function withPrecondition(patch: object, precondition: Precondition | undefined): object {
  if (precondition === undefined) return patch;
  const metadata = "metadata" in patch && typeof patch.metadata === "object" ? patch.metadata : {};
  return { ...patch, metadata: { ...metadata, ...precondition } };
}

/** Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches */
function acceptOf({ answer }: AnswerOptions): Readonly<Record<string, string>> {
  return answer === undefined ? {} : { accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" };
}

function dryRunOf({ dryRun }: WriteOptions): string | undefined {
  return dryRun === true ? "All" : undefined;
}

function selectors(query: ListQuery) {
  return { labelSelector: query.labelSelector || undefined, fieldSelector: query.fieldSelector || undefined };
}

function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}
