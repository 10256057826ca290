/** The API server, as the person who is signed in. This server has no identity of its own there. */
import type { CallOptions } from "../kubernetes/call.ts";
import { Client } from "../kubernetes/client.ts";
import type { Connection } from "../kubernetes/connection.ts";
import { ApiError } from "../kubernetes/errors.ts";
import type { KubernetesObject, ResourceKind } from "../kubernetes/objects.ts";
import { createTransport, type Transport, type TransportOptions } from "../kubernetes/transport.ts";
import { pageManager } from "../steering/foreign-fields.ts";
import { stateManager } from "../steering/switch.ts";

export interface Person {
  readonly reader: Client;
  readonly editor: Client;
  readonly switcher: Client;
}

/** A connection for nobody: whatever the kubeconfig or the pod could say of itself is left out. */
export function withoutIdentity({
  server,
  trust,
  origin,
}: Pick<Connection, "server" | "trust" | "origin">): Connection {
  return {
    server,
    trust,
    origin,
    namespace: undefined,
    credentials: { headers: async () => ({}), clientCertificate: async () => undefined, forget: () => false },
  };
}

/** One pool of connections for everybody; the token goes with each call. */
export class People {
  readonly #transport: Transport;
  readonly #server: string;

  constructor(connection: Connection, onRequest?: NonNullable<TransportOptions["onRequest"]>) {
    this.#server = connection.server;
    this.#transport = createTransport({
      connection,
      userAgent: "integration-workflow-console",
      ...(onRequest && { onRequest }),
    });
  }

  as(token: string): Person {
    const transport: Transport = {
      send: (request) =>
        this.#transport.send({ ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } }),
      close: async () => {},
    };
    const client = (fieldManager: string) => new Client({ transport, server: this.#server, fieldManager });
    const editor = client(pageManager);
    return { reader: editor, editor, switcher: client(stateManager) };
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}

interface SelfSubjectReview extends KubernetesObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

const selfSubjectReviews: ResourceKind<SelfSubjectReview> = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "selfsubjectreviews",
  kind: "SelfSubjectReview",
  namespaced: false,
};

/**
 * Who a token stands for, in the API server's own words.
 * @returns undefined when the API server does not take it, or takes it for nobody
 * @throws ConnectionError, or ApiError for every other refusal
 */
export async function whoIs({ reader }: Person, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await reader.create(selfSubjectReviews, { metadata: {} }, signal === undefined ? {} : { signal });
    const name = answer.status?.userInfo?.username;
    return name === undefined || name === "system:anonymous" ? undefined : name;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw error;
  }
}

interface SelfSubjectAccessReview extends KubernetesObject {
  readonly spec?: unknown;
  readonly status?: { readonly allowed: boolean; readonly reason?: string };
}

const selfSubjectAccessReviews: ResourceKind<SelfSubjectAccessReview> = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "selfsubjectaccessreviews",
  kind: "SelfSubjectAccessReview",
  namespaced: false,
};

export interface Deed {
  /** Absent: in all namespaces. */
  readonly namespace?: string | undefined;
  /** Absent: any. */
  readonly name?: string | undefined;
  readonly verb: "list" | "get" | "watch" | "patch" | "create";
  readonly group: string;
  readonly resource: string;
}

/** Whether the person may do it, as the API server would decide now. */
export async function may({ reader }: Person, deed: Deed, options: CallOptions = {}): Promise<boolean> {
  const manifest = { metadata: {}, spec: { resourceAttributes: deed } };
  const { status } = await reader.create(selfSubjectAccessReviews, manifest, options);
  return status?.allowed === true;
}
