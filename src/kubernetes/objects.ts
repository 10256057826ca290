/** The metadata of an object that the API server sent. Times are RFC 3339 strings. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid: string;
  /** Compare only through `own-writes.ts`. */
  resourceVersion: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  ownerReferences?: readonly OwnerReference[];
  finalizers?: readonly string[];
  managedFields?: readonly ManagedFieldsEntry[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  subresource?: string;
  fieldsType?: string;
  fieldsV1?: unknown;
}

/** Any object as the API server sends it. */
export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

declare const objectType: unique symbol;

/** What the API server calls a resource. The type parameter is the object's JSON shape, and exists for the compiler alone. */
export interface ResourceKind<T extends KubernetesObject = KubernetesObject> {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly [objectType]?: T;
}

/** An object to be written: what the server sets may be absent. `apiVersion` and `kind` are filled in from the ResourceKind. */
export interface Manifest {
  apiVersion?: string;
  kind?: string;
  metadata: Partial<ObjectMeta>;
}

/** Which object of a kind. `namespace` is absent for a kind without namespaces. */
export interface ObjectRef {
  namespace?: string;
  name: string;
}

/**
 * A type of `@kubernetes/client-node` as it is on the wire: dates are strings, everything is read only.
 * That package's own types promise `Date` where a watch gives strings.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Wire<T[Key]> }
      : T;

/** A built-in object with the metadata that every stored object has, for instance `Stored<V1Deployment>`. */
export type Stored<T extends { metadata?: unknown }> = Wire<Omit<T, "metadata">> & KubernetesObject;

export function apiVersionOf(kind: ResourceKind): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** `deployments.apps`, `pods`: how messages and logs name a kind. */
export function nameOfKind(kind: ResourceKind): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

/** The key of an object in a cache or a queue: `namespace/name`, or `name` for a kind without namespaces. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Path of a collection; of all namespaces when `namespace` is absent. */
export function collectionPath(kind: ResourceKind, namespace?: string): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${kind.plural}`;
}

/**
 * Path of one object.
 * @throws TypeError when the reference and the kind disagree about a namespace: the call would reach another object
 */
export function objectPath(kind: ResourceKind, ref: ObjectRef, subresource?: string): string {
  if (kind.namespaced && ref.namespace === undefined) {
    throw new TypeError(`${nameOfKind(kind)} "${ref.name}" needs a namespace`);
  }
  if (ref.name === "") throw new TypeError(`an object of ${nameOfKind(kind)} needs a name`);
  const path = `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
