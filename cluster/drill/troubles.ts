/** Eight troubles that people meet with workflows, each made for real and each in a workflow of its own. */
import { dataOf, type Kind, recordsOf, tableOf } from "./data.ts";
import { dynamicsSecret, type Workflow, type World } from "./world.ts";

/** The part of a workflow's status that shows whether a trouble is there. */
export interface Seen {
  readonly state?: string;
  readonly backlog?: number;
  readonly pendingRestart?: boolean;
  readonly failure?: { readonly reason: string };
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  readonly mappings?: readonly { readonly name: string; readonly backlog?: number; readonly written?: number }[];
}

export interface Trouble {
  /** What the command takes. */
  readonly name: string;
  /** The workflow that has it. Its name gives nothing away. */
  readonly workflow: string;
  /** The workflow's tables, the first of which is troubled. */
  readonly kinds: readonly [Kind, ...Kind[]];
  /** What is wrong from the beginning. */
  readonly before?: (world: World) => Promise<void>;
  /** What is wrong with the workflow itself. */
  readonly spec?: (right: Workflow["spec"]) => Workflow["spec"];
  /** What goes wrong once it runs. */
  readonly later?: (world: World) => Promise<void>;
  readonly isThere: (seen: Seen) => boolean;
  /** Mends what is wrong outside of the workflow. */
  readonly mend?: (world: World) => Promise<void>;
}

/** Permitted by the operator while there is a drill; no registry has it, and no domain ends like this (RFC 2606). */
const missingImage = "registry.invalid/integration-worker:1.9.0";
export const drillImages = "registry.invalid/*";

const isFailed =
  (...reasons: readonly string[]) =>
  ({ state, failure }: Seen): boolean =>
    state === "FAILED" && failure !== undefined && reasons.includes(failure.reason);

const manyVisits = 3000;

export const troubles: readonly Trouble[] = [
  {
    name: "stopped",
    workflow: "accounts",
    kinds: ["customer"],
    later: ({ kubectl }) => patch(kubectl, "accounts", [{ op: "replace", path: "/spec/state", value: "Stopped" }]),
    isThere: ({ state }) => state === "STOPPED",
  },
  {
    // Dynamics 365 is asked what the table looks like, and takes longer to say than it is waited for.
    name: "starting-slowly",
    workflow: "tickets",
    kinds: ["ticket"],
    before: async (world) => {
      await world.apply([dynamicsSecret(world, "dynamics-tickets")]);
      await slowMetadata(world.sandbox, "ticket");
    },
    // A user of its own: calls that last would use up a small share of the limits, and be late for that reason too.
    spec: (right) => ({
      ...right,
      dynamics: { ...right.dynamics, credentialsSecretRef: { name: "dynamics-tickets" }, share: 100 },
    }),
    isThere: ({ state, conditions = [] }) =>
      state === "STARTING" && conditions.some(({ type, message }) => type === "Ready" && /not ready/.test(message)),
    mend: ({ sandbox }) => removeFaults(sandbox, tableOf("ticket").name),
  },
  {
    name: "wrong-secret",
    workflow: "orders",
    kinds: ["order"],
    before: (world) => world.apply([dynamicsSecret(world, "dynamics-orders", "expired-last-week")]),
    spec: (right) => ({
      ...right,
      dynamics: { ...right.dynamics, credentialsSecretRef: { name: "dynamics-orders" } },
    }),
    isThere: isFailed("CredentialsRejected"),
    mend: (world) => world.apply([dynamicsSecret(world, "dynamics-orders")]),
  },
  {
    name: "wrong-image",
    workflow: "products",
    kinds: ["product"],
    spec: (right) => ({ ...right, worker: { image: missingImage } }),
    isThere: isFailed("ImagePullBackOff"),
  },
  {
    // Less memory than the program needs to begin.
    name: "crash-loop",
    workflow: "surveys",
    kinds: ["survey"],
    spec: (right) => ({
      ...right,
      worker: { resources: { requests: { memory: "24Mi" }, limits: { memory: "24Mi" } } },
    }),
    isThere: isFailed("OOMKilled", "CrashLoopBackOff"),
  },
  {
    name: "schema-drift",
    workflow: "memberships",
    kinds: ["membership", "branch"],
    later: async ({ sandbox }) => {
      await sandbox("dropColumn", { table: tableOf("membership").name, column: "new_level" });
      await sandbox("changeMany", {
        table: tableOf("membership").name,
        count: 20,
        operation: "update",
        cells: { new_name: "Changed {n}" },
      });
    },
    isThere: ({ conditions = [] }) =>
      conditions.some(({ type, status }) => type === "SchemaDrift" && status === "True"),
    mend: async ({ sandbox }) => {
      const { name, columns } = tableOf("membership");
      await sandbox("setColumn", { table: name, column: columns.find((column) => column.name === "new_level") });
    },
  },
  {
    // Campaign takes a record now and then, and says to the others: later.
    name: "throttled",
    workflow: "visits",
    kinds: ["visit"],
    before: async ({ sandbox }) => {
      await sandbox("addFault", {
        side: "campaign",
        method: "POST",
        pathPattern: dataOf("visit").resource.name,
        probability: 0.5,
        action: {
          kind: "status",
          status: 429,
          headers: { "content-type": "application/json", "retry-after": "5" },
          body: '{"error_code":"429050","message":"Too many requests"}',
        },
      });
      await sandbox("insertRows", { table: tableOf("visit").name, rows: recordsOf("visit", manyVisits) });
    },
    spec: (right) => ({ ...right, campaign: { ...right.campaign, engineCallsPerSecond: 200 } }),
    isThere: ({ state, backlog = 0, conditions = [] }) =>
      state === "RUNNING" &&
      backlog > manyVisits / 2 &&
      conditions.some(({ type, status }) => type === "Throttled" && status === "True"),
    mend: ({ sandbox }) => removeFaults(sandbox, dataOf("visit").resource.name),
  },
  {
    name: "edit-pending",
    workflow: "contacts",
    kinds: ["person"],
    later: ({ kubectl }) =>
      patch(kubectl, "contacts", [
        { op: "replace", path: "/spec/ingress/mappings/0/fields/1/applyUpdates", value: false },
      ]),
    isThere: ({ pendingRestart }) => pendingRestart === true,
  },
];

async function patch(kubectl: World["kubectl"], name: string, operations: readonly object[]): Promise<void> {
  await kubectl(["patch", "integrationworkflow", name, "--type", "json", "--patch", JSON.stringify(operations)]);
}

async function slowMetadata(sandbox: World["sandbox"], kind: Kind): Promise<void> {
  await sandbox("addFault", {
    side: "dataverse",
    pathPattern: `EntityDefinitions.*${tableOf(kind).name}`,
    action: { kind: "blackHole" },
  });
}

async function removeFaults(sandbox: World["sandbox"], pattern: string): Promise<void> {
  // control/interface.ts: each with its id and its rule.
  const faults = (await sandbox("faults", {})) as readonly { id: string; rule: { pathPattern?: string } }[];
  for (const { id, rule } of faults) {
    if (rule.pathPattern?.includes(pattern) === true) await sandbox("removeFault", { id });
  }
}
