/**
 * What a worker says that cannot run: its exit code and last words, or, where waiting may help, /readyz and /status.
 * Tested elsewhere: missing and refused credentials, a missing table, another workflow's store (../worker/ingress.test.ts), a volume
 * without room (../worker/full-volume.test.ts).
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAuthority } from "../../../cluster/certificates.ts";
import { type RunningSandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { silentLogger } from "../../../src/telemetry/log.ts";
import { ask, WorkerGround } from "./worker-ground.ts";

let sandbox: RunningSandbox;
let ground: WorkerGround;

beforeAll(async () => {
  sandbox = await startSandbox({ contacts: 1000 }, silentLogger);
});
afterAll(() => sandbox?.close());
beforeEach(() => {
  ground = new WorkerGround(sandbox);
});
afterEach(() => ground.end());

interface Row {
  readonly what: string;
  readonly spoil: (ground: WorkerGround) => void;
  readonly code: number;
  readonly reason: string;
  /** {folder}: the test's own. */
  readonly message: string;
}

const cannotRecover = 78;
const invalid = { code: cannotRecover, reason: "ConfigurationInvalid" } as const;
const invalidBundle = { code: cannotRecover, reason: "CaBundleInvalid" } as const;
const bundle = 'the key ca.crt of the ConfigMap "corporate-ca" (caBundle.configMapRef)';
const bundleRemedy = ": put PEM certificates into it and restart, or take caBundle out";
const tryAgain = { code: 1, reason: "WorkerError" } as const;
const storeRemedy = "check that the volume is mounted, has room, and may be written by this user";

const ends: readonly Row[] = [
  {
    what: "a configuration that is not there",
    spoil: (ground) => {
      ground.flags = ["--config", ground.path("none.json")];
    },
    ...invalid,
    message: "the configuration {folder}/none.json cannot be read: the operator mounts it there",
  },
  {
    what: "a configuration that is not JSON",
    spoil: (ground) => {
      ground.text = "{type: Ingress}";
    },
    ...invalid,
    message: "workflow.json is not JSON: was it written by the operator?",
  },
  {
    what: "a configuration of no workflow",
    spoil: (ground) => {
      ground.text = "[]";
    },
    ...invalid,
    message: "workflow.json: workflow must have name, namespace and uid",
  },
  {
    what: "a field that is missing",
    spoil: ({ spec }) => {
      Reflect.deleteProperty(spec.dynamics, "url");
    },
    ...invalid,
    message: "workflow.json: spec.dynamics.url is missing",
  },
  {
    what: "a field of another type",
    spoil: ({ spec }) => {
      spec.campaign["engineCallsPerSecond"] = "many";
    },
    ...invalid,
    message: "workflow.json: spec.campaign.engineCallsPerSecond must be number",
  },
  {
    what: "a key of a Secret that is missing",
    spoil: (ground) => rmSync(ground.path("credentials/campaign/scopes")),
    code: cannotRecover,
    reason: "CredentialsMissing",
    message:
      'the Secret "campaign" (campaign.credentialsSecretRef) or its key "scopes" is missing: create it with the keys clientId, clientSecret, scopes',
  },
  {
    what: "a CA bundle that is not there",
    spoil: ({ spec }) => {
      spec["caBundle"] = { configMapRef: { name: "corporate-ca" } };
    },
    code: cannotRecover,
    reason: "CaBundleMissing",
    message:
      'the ConfigMap "corporate-ca" (caBundle.configMapRef) or its key ca.crt is missing: create it, or take caBundle out',
  },
  {
    what: "a CA bundle that is not PEM",
    spoil: (ground) => {
      ground.spec["caBundle"] = { configMapRef: { name: "corporate-ca" } };
      writeFileSync(ground.path("ca.crt"), "0\x82\x03\x01");
    },
    ...invalidBundle,
    message: `${bundle} holds no certificate in PEM form${bundleRemedy}`,
  },
  {
    what: "a CA bundle that holds a certificate cut short",
    spoil: (ground) => {
      ground.spec["caBundle"] = { configMapRef: { name: "corporate-ca" } };
      const { certificate } = createAuthority("somebody", new Date());
      writeFileSync(
        ground.path("ca.crt"),
        `# the old one\n${certificate}# the new one\n${certificate.slice(0, 200)}\n`,
      );
    },
    ...invalidBundle,
    message: `${bundle} holds a certificate that cannot be read, number 2 of 2${bundleRemedy}`,
  },
  {
    what: "a state directory that cannot be made",
    spoil: (ground) => writeFileSync(ground.path("state"), ""),
    ...tryAgain,
    message: `the queue's store {folder}/state/queue.db cannot be opened (EEXIST: file already exists, mkdir '{folder}/state'): ${storeRemedy}`,
  },
  {
    what: "a store that cannot be written",
    spoil: (ground) => mkdirSync(ground.path("state/queue.db"), { recursive: true }),
    ...tryAgain,
    message: `the queue's store {folder}/state/queue.db cannot be opened (unable to open database file): ${storeRemedy}`,
  },
  {
    what: "a store that is damaged",
    spoil: (ground) => {
      mkdirSync(ground.path("state"));
      writeFileSync(ground.path("state/queue.db"), "no database ".repeat(1000));
    },
    code: cannotRecover,
    reason: "StoreUnreadable",
    message:
      "{folder}/state/queue.db cannot be used as the queue's store: it is damaged. Restore the volume, or empty it (everything is then read and compared anew)",
  },
  {
    what: "a column that does not exist",
    spoil: ({ mapping }) => {
      mapping.fields = [{ column: "shoesize", field: "firstName" }];
    },
    code: cannotRecover,
    reason: "ColumnMissing",
    message: "no mapping can run: contact: the table contact has no column shoesize that this user may see",
  },
  {
    what: "a field that does not exist",
    spoil: ({ mapping }) => {
      mapping.fields = [{ column: "firstname", field: "shoeSize" }];
    },
    code: cannotRecover,
    reason: "FieldMissing",
    message: "no mapping can run: contact: the Campaign resource profile has no field shoeSize",
  },
  {
    what: "a resource that does not exist, though Campaign says that as it says an outage",
    spoil: ({ mapping }) => {
      mapping.resource = "prospect";
    },
    code: cannotRecover,
    reason: "ResourceMissing",
    message:
      'no mapping can run: contact: Campaign has no resource "prospect": publish it, or correct its name in the mapping',
  },
  {
    what: "a link of a field that is none",
    spoil: ({ mapping }) => {
      mapping.fields = [
        { column: "parentcustomerid", field: "company", link: { resource: "cusCompany", key: "crmId" } },
      ];
    },
    code: cannotRecover,
    reason: "LinkInvalid",
    message:
      "no mapping can run: contact: the link of the field company: in Campaign the field is no link but of type string: take link out, or make the field a link to cusCompany",
  },
  {
    what: "another type",
    spoil: ({ spec }) => {
      spec.type = "OptInOut";
    },
    ...invalid,
    message: "a workflow of type OptInOut needs optInOut, and the configuration does not have it",
  },
  {
    what: "an address that is taken",
    spoil: (ground) => {
      ground.flags = ["--address", new URL(sandbox.campaignUrl).host];
    },
    ...tryAgain,
    message:
      "cannot listen on 127.0.0.1 port {port}: another process listens there: end it, or give another address (--help names the flags)",
  },
];

describe("a worker ends and says why", () => {
  test.each(ends)("with $what", async ({ spoil, code, reason, message }) => {
    spoil(ground);
    const ended = await ground.start().ended;
    expect(ended.code, ended.output).toBe(code);
    const expected = message.replaceAll("{folder}", ground.folder).replace("{port}", new URL(sandbox.campaignUrl).port);
    expect(ground.lastWords()).toMatchObject({ reason, message: expected });
    // The log says it too, and every line of it can be read by a machine.
    expect(ended.output).toContain(JSON.stringify(expected).slice(1, -1));
    for (const line of ended.output.trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
  });

  test("with change tracking that is off", async () => {
    await sandbox.control.setChangeTracking({ table: "contact", enabled: false });
    try {
      const ended = await ground.start().ended;
      expect(ended.code, ended.output).toBe(cannotRecover);
      expect(ground.lastWords()).toMatchObject({
        reason: "ChangeTrackingOff",
        message: expect.stringContaining("contact"),
      });
    } finally {
      await sandbox.control.setChangeTracking({ table: "contact", enabled: true });
    }
  });
});

interface Outage {
  readonly what: string;
  readonly spoil: (ground: WorkerGround) => void;
  readonly message: string;
}

const silent = (service: string): string => `${service} did not answer within 60 s`;
const oops =
  "(500, 500): Oops Something went wrong Check your URI and try again; if this stays, check campaign.url, and that the mapping's resource is published";

const outages: readonly Outage[] = [
  {
    what: "nothing listens at dynamics.url",
    spoil: ({ spec }) => {
      spec.dynamics.url = "http://127.0.0.1:1";
    },
    message: `${silent("Dataverse")}: Dataverse: GET to 127.0.0.1:1 failed: nothing listens there: connect ECONNREFUSED 127.0.0.1:1; ${silent("Campaign")}`,
  },
  {
    what: "the host of dynamics.url is not known",
    spoil: ({ spec }) => {
      spec.dynamics.url = "https://contoso.invalid";
    },
    message: `${silent("Dataverse")}: Dataverse: GET to contoso.invalid failed: the host name cannot be resolved: getaddrinfo ENOTFOUND contoso.invalid; ${silent("Campaign")}`,
  },
  {
    what: "nothing listens at campaign.url",
    spoil: ({ spec }) => {
      spec.campaign.url = "http://127.0.0.1:1/contoso/campaign";
    },
    message: `${silent("Campaign")}: Campaign: GET to 127.0.0.1:1 failed: nothing listens there: connect ECONNREFUSED 127.0.0.1:1`,
  },
  {
    what: "campaign.url names another organisation",
    spoil: ({ spec }) => {
      spec.campaign.url = spec.campaign.url.replace("contoso", "fabrikam");
    },
    message: `${silent("Campaign")}: Campaign refused the description of profile ${oops}`,
  },
];

describe("a worker waits, not ready, and says for what", () => {
  test.each(outages)("while $what", async ({ spoil, message }) => {
    spoil(ground);
    const worker = ground.start();
    await expect
      .poll(() => ask(worker, "/readyz"), { timeout: 20_000 })
      .toEqual({
        status: 503,
        body: `NoAnswer: ${message}\n`,
      });
    expect(JSON.parse((await ask(worker, "/status")).body)).toMatchObject({
      notReady: { reason: "NoAnswer", message },
    });
    expect((await ask(worker, "/livez")).status).toBe(200);
    expect((await worker.stop()).code).toBe(0);
  });

  test("while a certificate is not trusted, naming the field that mends it", async () => {
    const { certificate, key } = createAuthority("somebody", new Date()).issue({
      commonName: "localhost",
      hosts: ["localhost", "127.0.0.1"],
    });
    const server = createServer({ cert: certificate, key }, (_, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      ground.spec.dynamics.url = `https://127.0.0.1:${port}`;
      const worker = ground.start();
      await expect
        .poll(async () => (await ask(worker, "/readyz")).body, { timeout: 20_000 })
        .toContain(
          `GET to 127.0.0.1:${port} failed: its certificate is not trusted (a private CA goes into spec.caBundle)`,
        );
    } finally {
      server.close();
    }
  });

  test("and logs at growing intervals: a system that is away for half a minute fills no log", async () => {
    ground.spec.dynamics.url = "http://127.0.0.1:1";
    const worker = ground.start();
    const tries = () => worker.lines.filter(({ message }) => message === "start.waits");
    await expect.poll(() => tries().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(6);
    const times = tries().map(({ timestamp }) => Date.parse(timestamp));
    const [first = 0, sixth = 0] = [times[0], times[5]];
    // Half of 0.5 + 1 + 2 + 4 + 8 s at the least.
    expect(sixth - first).toBeGreaterThanOrEqual(7_500);
    expect(worker.lines.length).toBeLessThan(20);
  });
});
