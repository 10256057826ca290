/** What the API server's own authorizer says of who may do what, asked one by one. */
import type { ApiServer } from "../api/api-server.ts";

/** One question. Without a namespace it is about all of them, or about a resource that is in none. */
export interface Question {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** Something that the API server serves. */
export interface Served {
  readonly group: string;
  /** Plural, with the subresource behind a slash. */
  readonly resource: string;
  readonly namespaced: boolean;
}

/** What RBAC knows besides what is served: rights that are asked for in the course of other requests. */
export const virtualResources: readonly (Served & { readonly verbs: readonly string[] })[] = [
  ...["users", "groups", "serviceaccounts"].map((resource) => ({
    group: "",
    resource,
    namespaced: resource === "serviceaccounts",
    verbs: ["impersonate"],
  })),
  { group: "authentication.k8s.io", resource: "uids", namespaced: false, verbs: ["impersonate"] },
  ...["roles", "clusterroles"].map((resource) => ({
    group: "rbac.authorization.k8s.io",
    resource,
    namespaced: resource === "roles",
    verbs: ["bind", "escalate"],
  })),
  { group: "certificates.k8s.io", resource: "signers", namespaced: false, verbs: ["approve", "sign"] },
];

/** As `resource/subresource` is written in a Role. */
export function question(verb: string, { group, resource }: Pick<Served, "group" | "resource">): Question {
  const [plural = "", subresource] = resource.split("/");
  return { verb, group, resource: plural, ...(subresource === undefined ? {} : { subresource }) };
}

/** Every resource and subresource of every group, in the versions that the API server prefers or only serves. */
export async function servedResources(server: ApiServer): Promise<readonly Served[]> {
  interface Groups {
    readonly groups: readonly { readonly name: string; readonly versions: readonly { readonly version: string }[] }[];
  }
  interface Resources {
    readonly resources: readonly { readonly name: string; readonly namespaced: boolean; readonly group?: string }[];
  }
  const read = async <T>(path: string): Promise<T> => (await server.request("GET", path)).body as unknown as T;
  const { groups } = await read<Groups>("/apis");
  const versions = groups.flatMap(({ name, versions: all }) => all.map(({ version }) => ({ group: name, version })));
  const paths = [
    { group: "", path: "/api/v1" },
    ...versions.map(({ group, version }) => ({ group, path: `/apis/${group}/${version}` })),
  ];
  const found = new Map<string, Served>();
  for (const { group, path } of paths) {
    const { resources } = await read<Resources>(path);
    // The path's group decides what is asked for; `group` of an entry is of the kind that it takes.
    for (const { name, namespaced } of resources) found.set(`${group}/${name}`, { group, resource: name, namespaced });
  }
  return [...found.values()];
}

export interface Who {
  readonly user: string;
  readonly groups: readonly string[];
}

export function serviceAccount(namespace: string, name: string): Who {
  return {
    user: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  };
}

/** @returns whether the API server would let them */
export async function may(server: ApiServer, who: Who, asked: Question): Promise<boolean> {
  return review(server, who, { resourceAttributes: asked });
}

export async function mayGetPath(server: ApiServer, who: Who, path: string): Promise<boolean> {
  return review(server, who, { nonResourceAttributes: { verb: "get", path } });
}

async function review(server: ApiServer, { user, groups }: Who, asked: object): Promise<boolean> {
  const { status, body } = await server.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user, groups, ...asked },
  });
  // No answer is no "no".
  if (status !== 201) throw new Error(`the review was answered ${status}: ${body.message}`);
  return body.status?.["allowed"] === true;
}

/** Asks all, some at a time. @returns those that are allowed */
export async function allowedOf(server: ApiServer, who: Who, questions: readonly Question[]): Promise<Question[]> {
  const allowed: Question[] = [];
  const left = questions.values();
  const ask = async (): Promise<void> => {
    for (const each of left) if (await may(server, who, each)) allowed.push(each);
  };
  await Promise.all(Array.from({ length: 16 }, ask));
  return allowed;
}

/** As a sentence: `patch integrationworkflows.integrationworkflow.io/status in crm`. */
export function told({ verb, group, resource, subresource, name, namespace }: Question): string {
  const what = `${resource}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`;
  return `${verb} ${what}${name === undefined ? "" : ` ${name}`} in ${namespace ?? "the cluster"}`;
}
