import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findConnection, inCluster } from "../../../src/kubernetes/connection.ts";
import { ConfigurationError } from "../../../src/kubernetes/errors.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

function kubeconfig(options: { name?: string; user?: string; cluster?: string; current?: string } = {}): string {
  const { name = "one", user = "token: secret", cluster = "", current = name } = options;
  return `
apiVersion: v1
kind: Config
current-context: ${current}
clusters:
- name: ${name}
  cluster: {server: "https://${name}.example.com:6443/prefix/", certificate-authority-data: ${base64("PEM")} ${cluster}}
contexts:
- name: ${name}
  context: {cluster: ${name}, user: ${name}, namespace: space}
users:
- name: ${name}
  user: {${user}}
`;
}

const find = (options: { kubeconfig?: string; context?: string; KUBECONFIG?: string }) =>
  findConnection({
    kubeconfig: options.kubeconfig,
    context: options.context,
    environment: { KUBECONFIG: options.KUBECONFIG },
  });

test("a kubeconfig gives server, namespace, CA and token of its current context", async () => {
  const connection = find({ kubeconfig: write("config", kubeconfig()) });
  expect(connection).toMatchObject({
    server: "https://one.example.com:6443/prefix",
    namespace: "space",
    origin: "context one",
  });
  expect(connection.trust()).toEqual({ ca: "PEM", serverName: undefined, skipVerification: false });
  expect(await connection.credentials.headers()).toEqual({ authorization: "Bearer secret" });
});

test("the path that is given wins over KUBECONFIG, and KUBECONFIG over the cluster around", () => {
  const [one, two] = [write("one", kubeconfig()), write("two", kubeconfig({ name: "two" }))];
  const environment = { KUBECONFIG: two, KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };
  expect(findConnection({ kubeconfig: one, environment }).origin).toBe("context one");
  expect(findConnection({ environment }).origin).toBe("context two");
});

test("of several files the first current context counts, and a context can be named", () => {
  const KUBECONFIG = [write("one", kubeconfig()), write("two", kubeconfig({ name: "two" }))].join(delimiter);
  expect(find({ KUBECONFIG }).origin).toBe("context one");
  expect(find({ KUBECONFIG, context: "two" }).server).toBe("https://two.example.com:6443/prefix");
});

test("files beside a kubeconfig are found from wherever it is used, and read again at each use", async () => {
  write("ca.crt", "CA 1");
  write("token", "first\n");
  const path = write("config", kubeconfig({ user: "tokenFile: token, client-certificate: c, client-key: k" }));
  write("c", "CERT");
  write("k", "KEY");
  const text = kubeconfig({ user: "tokenFile: token, client-certificate: c, client-key: k" }).replace(
    /certificate-authority-data: \S+/,
    "certificate-authority: ca.crt",
  );
  writeFileSync(path, text);
  const { credentials, trust } = find({ kubeconfig: path });
  expect(trust().ca).toBe("CA 1");
  write("ca.crt", "CA 2");
  expect(trust().ca).toBe("CA 2");
  expect(await credentials.clientCertificate()).toEqual({ cert: "CERT", key: "KEY" });
  expect(await credentials.headers()).toEqual({ authorization: "Bearer first" });
});

test("impersonation goes into the headers", async () => {
  const path = write("config", kubeconfig({ user: "token: t, as: jane, as-groups: [crew]" }));
  expect(await find({ kubeconfig: path }).credentials.headers()).toEqual({
    authorization: "Bearer t",
    "impersonate-user": "jane",
    "impersonate-group": "crew",
  });
});

test("an exec plugin beside the kubeconfig is found from wherever it is used", async () => {
  const answer = '{"kind":"ExecCredential","status":{"token":"from the plugin"}}';
  const plugin = write("plugin.sh", `#!/bin/sh\necho '${answer}'\n`);
  chmodSync(plugin, 0o755);
  const user = 'exec: {apiVersion: client.authentication.k8s.io/v1, command: "./plugin.sh"}';
  const { credentials } = find({ kubeconfig: write("config", kubeconfig({ user })) });
  expect(await credentials.headers()).toEqual({ authorization: "Bearer from the plugin" });
});

test("a user name and password become basic authentication", async () => {
  const path = write("config", kubeconfig({ user: "username: jane, password: doe" }));
  expect(await find({ kubeconfig: path }).credentials.headers()).toEqual({
    authorization: `Basic ${base64("jane:doe")}`,
  });
});

describe("an error says what is missing and where:", () => {
  const cases: [string, () => unknown, RegExp][] = [
    ["nothing is configured", () => find({}), /give --kubeconfig, set KUBECONFIG, or run in a pod/],
    ["a context without a kubeconfig", () => find({ context: "x" }), /context "x" is asked for, but no kubeconfig/],
    ["no such file", () => find({ kubeconfig: "/nowhere/config" }), /cannot read kubeconfig \/nowhere\/config: ENOENT/],
    ["not YAML", () => find({ kubeconfig: write("c", "a: [") }), /cannot use kubeconfig .*\/c: /],
    ["not a kubeconfig", () => find({ kubeconfig: write("c", "just text") }), /it is not a kubeconfig/],
    ["an empty file", () => find({ kubeconfig: write("c", "") }), /cannot use kubeconfig/],
    [
      "an unknown context",
      () => find({ kubeconfig: write("c", kubeconfig()), context: "x" }),
      /no context "x" \(it has: one\)/,
    ],
    ["no current context", () => find({ kubeconfig: write("c", kubeconfig({ current: '""' })) }), /no current-context/],
    [
      "no such cluster",
      () => find({ kubeconfig: write("c", kubeconfig().replace("{cluster: one", "{cluster: x")) }),
      /names cluster "x"/,
    ],
    [
      "no such user",
      () => find({ kubeconfig: write("c", kubeconfig().replace("user: one", "user: x")) }),
      /names user "x"/,
    ],
    [
      "a server that is no URL",
      () => find({ kubeconfig: write("c", kubeconfig().replace("https:", "ftp:")) }),
      /not an http or https URL/,
    ],
    [
      "a proxy",
      () => find({ kubeconfig: write("c", kubeconfig({ cluster: ', proxy-url: "http://p"' })) }),
      /proxy-url/,
    ],
    [
      "an auth-provider",
      () => find({ kubeconfig: write("c", kubeconfig({ user: "auth-provider: {name: oidc}" })) }),
      /use an exec plugin/,
    ],
    [
      "a CA file that is not there",
      () =>
        find({
          kubeconfig: write(
            "c",
            kubeconfig().replace(/certificate-authority-data: \S+/, "certificate-authority: no.crt"),
          ),
        }),
      /cannot read .*no\.crt: ENOENT/,
    ],
    ["a pod without a token", () => inCluster("10.0.0.1", "443", folder), /no service account token/],
  ];
  test.each(cases)("%s", (_name, act, message) => {
    expect(act).toThrow(ConfigurationError);
    expect(act).toThrow(message);
  });
});

test("in a pod, server, namespace, CA and token come from the service account", async () => {
  write("token", "pod-token");
  write("namespace", "crm\n");
  write("ca.crt", "CA");
  const connection = inCluster("fd00::1", "443", folder);
  expect(connection).toMatchObject({ server: "https://[fd00::1]:443", namespace: "crm", origin: "in cluster" });
  expect(connection.trust().ca).toBe("CA");
  expect(await connection.credentials.headers()).toEqual({ authorization: "Bearer pod-token" });
});
