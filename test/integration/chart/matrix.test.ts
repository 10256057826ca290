/** The table of rights, held against the real API server both ways: what is in it is allowed, and nothing else is. */
import { readFileSync } from "node:fs";
import { Agent, fetch } from "undici";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import {
  type Account,
  accounts,
  addedTo,
  everyAccount,
  granted,
  ownGroup,
  people,
  type Right,
  type Where,
} from "../../../scripts/rights-table.ts";
import { type ApiServer, apiServer } from "../api/api-server.ts";
import {
  allowedOf,
  may,
  mayGetPath,
  type Question,
  question,
  type Served,
  servedResources,
  serviceAccount,
  told,
  virtualResources,
  type Who,
} from "./access.ts";
import { chartFolder, type Helm, startHelm } from "./helm.ts";

/** A control plane of its own: a release is cluster-wide. */
let own: ControlPlane;
let server: ApiServer;
let helm: Helm;
let served: readonly Served[];
/** Each cluster role's rules before the chart came. */
const before = new Map<string, readonly object[]>();

const release = "integration-workflow-operator";
const [everywhere, somewhere] = ["iw-system", "iw-namespaced"];
const watched = ["crm", "sales"];
const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

const who: Readonly<Record<Account, Who>> = {
  operator: serviceAccount(everywhere, release),
  "namespaced operator": serviceAccount(somewhere, `crm-only-${release}`),
  console: serviceAccount(everywhere, `${release}-console`),
  worker: serviceAccount("crm", "default"),
  sandbox: serviceAccount(everywhere, "default"),
};
/** Where the account lives. */
const home: Readonly<Record<Account, string>> = {
  operator: everywhere,
  "namespaced operator": somewhere,
  console: everywhere,
  worker: "crm",
  sandbox: everywhere,
};
/** `undefined`: no namespace is named. */
const namespaces = (account: Account) => [undefined, "crm", "sales", home[account], "elsewhere"];

beforeAll(async () => {
  own = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.error) });
  server = await apiServer(own.kubeconfigPath);
  helm = await startHelm(own.kubeconfigPath);
  for (const name of [everywhere, somewhere, ...watched, "elsewhere"]) {
    await server.request("POST", "/api/v1/namespaces", { metadata: { name } });
  }
  for (const role of people) before.set(role, await rulesOf(role));
  await helm.run(
    ...["install", release, chartFolder, "--namespace", everywhere],
    ...["--set", "sandbox.enabled=true,console.enabled=true,console.publicUrl=https://page.example.com"],
  );
  // Polled by proxy, so that the one right that a value gives is there once and is missing once.
  await helm.run(
    ...["install", "crm-only", chartFolder, "--namespace", somewhere, "--set", `watchNamespaces={${watched}}`],
    ...["--set", "crds.enabled=false,rbac.aggregateToDefaultRoles=false,operator.workerPoll=proxy"],
  );
  await vi.waitFor(
    async () => {
      served = await servedResources(server);
      if (!served.some(({ group }) => group === ownGroup)) throw new Error("workflows are not served yet");
    },
    { timeout: 60_000 },
  );
});
afterAll(async () => {
  helm?.remove();
  await server?.close();
  await own?.stop();
});

async function rulesOf(role: string): Promise<readonly object[]> {
  const { body } = await server.request("GET", `/apis/rbac.authorization.k8s.io/v1/clusterroles/${role}`);
  return (body as unknown as { rules: readonly object[] }).rules;
}

const isProxied = (account: Account): boolean => account === "namespaced operator";

/** The rows of the table that hold for an account of this test's releases. */
function rows(account: Account): readonly { readonly where: Where; readonly right: Right }[] {
  return granted[account].flatMap(({ where, rights }) =>
    rights.filter(({ given }) => given === undefined || isProxied(account)).map((right) => ({ where, right }) as const),
  );
}

/** The namespaces of this test in which a row holds; `undefined` for all at once. */
function placesOf(account: Account, where: Where): readonly (string | undefined)[] {
  if (where === "own") return [home[account]];
  return where === "watched" ? watched : namespaces(account);
}

/** What the table says of an account, as questions. */
function expected(account: Account): readonly Question[] {
  const theirs = rows(account).flatMap(({ where, right }) =>
    placesOf(account, where).flatMap((namespace) =>
      right.verbs.map((verb) => ({
        ...question(verb, right),
        ...(right.name === undefined ? {} : { name: right.name }),
        ...(namespace === undefined ? {} : { namespace }),
      })),
    ),
  );
  return [...theirs, ...everyAccount.flatMap((right) => right.verbs.map((verb) => question(verb, right)))];
}

/** Every verb on everything that the API server serves, and what RBAC knows besides, in each of the namespaces. */
function everyQuestion(account: Account): readonly Question[] {
  return [...served.map((each) => ({ ...each, verbs })), ...virtualResources].flatMap((each) =>
    (each.namespaced ? [...new Set(namespaces(account))] : [undefined]).flatMap((namespace) =>
      each.verbs.map((verb) => ({ ...question(verb, each), ...(namespace === undefined ? {} : { namespace }) })),
    ),
  );
}

test("the table speaks of nothing that the API server does not serve", () => {
  const known = new Set(served.map(({ group, resource }) => `${group}/${resource}`));
  expect(served.length).toBeGreaterThan(100);
  const named = [...Object.values(granted).flat(), ...Object.values(addedTo).map((rights) => ({ rights }))].flatMap(
    ({ rights }) => rights,
  );
  for (const { group, resource } of [...named, ...everyAccount]) expect(known).toContain(`${group}/${resource}`);
});

describe.each(accounts)("the account of the %s", (account) => {
  test("may do all that the table says, and nothing else of all that the API server knows", async () => {
    const rightsOnOneObject = expected(account).filter(({ name }) => name !== undefined);
    const allowed = await allowedOf(server, who[account], [...everyQuestion(account), ...rightsOnOneObject]);
    expect(allowed.map(told).sort()).toEqual([...new Set(expected(account).map(told))].sort());
  });

  test("may ask what is served and how the API server is, and see no metrics, logs or profiles of it", async () => {
    for (const path of ["/api", "/apis", "/openapi/v3", "/version", "/healthz", "/livez", "/readyz"])
      expect(await mayGetPath(server, who[account], path), path).toBe(true);
    for (const path of ["/metrics", "/logs", "/debug/pprof/", "/configz", "/flagz", "/statusz", "/"])
      expect(await mayGetPath(server, who[account], path), path).toBe(false);
  });
});

test("an account that may hold one lease may hold no other, neither here nor elsewhere", async () => {
  const lease = { group: "coordination.k8s.io", resource: "leases" };
  for (const account of ["operator", "namespaced operator"] as const) {
    for (const verb of ["get", "update", "patch", "delete"]) {
      const asked = { ...question(verb, lease), name: "another" };
      expect(await may(server, who[account], { ...asked, namespace: home[account] }), verb).toBe(false);
      const elsewhere = { ...asked, name: release, namespace: "kube-system" };
      expect(await may(server, who[account], elsewhere), verb).toBe(false);
    }
  }
});

describe("people with the cluster's own roles", () => {
  test.each(people.map((role, index) => [role, people.slice(0, index + 1)] as const))(
    "%s is given what the table says of workflows, and of nothing else",
    async (role, upTo) => {
      await server.request("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/crm/rolebindings", {
        metadata: { name: `test-${role}` },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: `a-${role}` }],
      });
      const person = { user: `a-${role}`, groups: ["system:authenticated"] };
      const ours = served.filter(({ group }) => group === ownGroup);
      const questions = ours.flatMap((each) =>
        [undefined, "crm", "elsewhere"].flatMap((namespace) =>
          verbs.map((verb) => ({ ...question(verb, each), ...(namespace === undefined ? {} : { namespace }) })),
        ),
      );
      const rights = upTo.flatMap((each) => addedTo[each]);
      const wanted = rights.flatMap((right) =>
        right.verbs.map((verb) => told({ ...question(verb, right), namespace: "crm" })),
      );
      // A controller adds the rules to the roles.
      await expect
        .poll(async () => (await allowedOf(server, person, questions)).map(told).sort(), { timeout: 60_000 })
        .toEqual(wanted.sort());
      const known = new Set((before.get(role) ?? []).map((rule) => JSON.stringify(rule)));
      const added = (await rulesOf(role)).filter((rule) => !known.has(JSON.stringify(rule)));
      expect(added.length).toBeGreaterThan(0);
      for (const rule of added) expect(rule).toMatchObject({ apiGroups: [ownGroup] });
    },
  );
});

describe("asked for real, with the account's own token", () => {
  interface Answer {
    readonly status: number;
    readonly message: string;
  }
  type Ask = (method: string, path: string, body?: object, type?: string) => Promise<Answer>;

  /** Requests as the account, each a dry run. */
  async function as(account: Account): Promise<Ask> {
    const [, , namespace = "", name = ""] = who[account].user.split(":");
    const token = (await server.kubectl(["--namespace", namespace, "create", "token", name])).trim();
    const dispatcher = new Agent({ connect: { ca: readFileSync(own.caPath, "utf8") } });
    return async (method, path, body, type = "application/json") => {
      const query = method === "GET" ? "" : "?dryRun=All";
      const response = await fetch(`${own.url}${path}${query}`, {
        method,
        dispatcher,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": type }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, message: await response.text() };
    };
  }

  const refusal = /is forbidden: User .* cannot /;
  const byMerge = "application/merge-patch+json";
  const methods: Readonly<Record<string, readonly [method: string, named: boolean, body?: object, type?: string]>> = {
    get: ["GET", true],
    list: ["GET", false],
    create: ["POST", false, { metadata: { name: "nobodys" } }],
    update: ["PUT", true, { metadata: { name: "nobodys" } }],
    patch: ["PATCH", true, { metadata: { labels: { a: "b" } } }, byMerge],
    delete: ["DELETE", true],
  };

  function pathOf({ group, resource, name = "nobodys" }: Right, namespace: string, isNamed: boolean): string {
    const [plural = "", subresource] = resource.split("/");
    const root = group === "" ? "/api/v1" : `/apis/${group}/v1`;
    const at = `${root}/namespaces/${namespace}/${plural}`;
    return subresource === undefined ? (isNamed ? `${at}/${name}` : at) : `${at}/${name}/${subresource}`;
  }

  test.each(["operator", "namespaced operator"] as const)(
    "%s: no request of the table is refused, and none of them passes where the table does not say so",
    async (account) => {
      const ask = await as(account);
      for (const { where, right } of rows(account)) {
        for (const verb of right.verbs) {
          const [method, isNamed, body, type] = methods[verb] ?? [];
          // A watch is a list that goes on: the reviews have asked for it.
          if (method === undefined || isNamed === undefined) continue;
          const place = where === "own" ? home[account] : "crm";
          const inside = await ask(method, pathOf(right, place, isNamed), body, type);
          expect(inside.message, `${verb} ${right.resource} in ${place}`).not.toMatch(refusal);
          if (where === "all") continue;
          const outside = await ask(method, pathOf(right, "elsewhere", isNamed), body, type);
          expect(outside.message, `${verb} ${right.resource} elsewhere`).toMatch(refusal);
          expect(outside.status).toBe(403);
        }
      }
    },
  );

  const crm = "/api/v1/namespaces/crm";
  const workflow = `/apis/${ownGroup}/v1/namespaces/crm/integrationworkflows`;
  const refused: readonly (readonly [method: string, path: string, body?: object, type?: string])[] = [
    ["GET", "/api/v1/secrets"],
    ["GET", `${crm}/secrets`],
    ["GET", `${crm}/secrets/dynamics`],
    ["POST", `${crm}/secrets`, { metadata: { name: "a" } }],
    ["DELETE", `${crm}/secrets`],
    ["POST", `${crm}/pods`, { metadata: { name: "a" } }],
    ["POST", `${crm}/pods/a/exec`, {}],
    ["GET", `${crm}/pods/a/log`],
    ["POST", `${crm}/serviceaccounts/default/token`, {}],
    ["PATCH", `${workflow}/contacts`, { spec: { state: "Running" } }, byMerge],
    ["POST", workflow, { metadata: { name: "a" } }],
    ["DELETE", `/apis/apps/v1/namespaces/crm/deployments/contacts`],
    ["GET", "/api/v1/nodes"],
    ["GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"],
    ["POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/crm/rolebindings", { metadata: { name: "a" } }],
  ];

  test.each(accounts)("%s: Secrets, pods, tokens, specs and roles are out of reach", async (account) => {
    const ask = await as(account);
    for (const [method, path, body, type] of refused) {
      const { status, message } = await ask(method, path, body, type);
      expect(status, `${method} ${path}: ${message}`).toBe(403);
      expect(message).toMatch(refusal);
    }
  });
});
