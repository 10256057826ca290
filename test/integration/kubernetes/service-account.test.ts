import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, test, vi } from "vitest";
import { inCluster } from "../../../src/kubernetes/connection.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes/objects.ts";
import { untilAccountIsThere } from "./account.ts";
import { clientOver, connectionTo, freshNamespace } from "./ground.ts";

interface Secret extends KubernetesObject {
  data?: Record<string, string>;
}

const secrets: ResourceKind<Secret> = { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true };
const reviews: ResourceKind<KubernetesObject & { status?: { userInfo?: { username?: string } } }> = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "selfsubjectreviews",
  kind: "SelfSubjectReview",
  namespaced: false,
};

test("with a service account's files, the server knows who calls, and who no longer may", async () => {
  const connection = connectionTo(inject("kubeconfig"));
  const admin = clientOver(connection);
  const namespace = await freshNamespace(admin.client);
  const folder = mkdtempSync(join(tmpdir(), "service-account-"));
  const annotations = { "kubernetes.io/service-account.name": "default" };
  const account = { type: "kubernetes.io/service-account-token", metadata: { namespace, name: "token", annotations } };
  await untilAccountIsThere(admin.client, namespace);
  await admin.client.create(secrets, account);
  const token = await vi.waitFor(
    async () => {
      const { data } = await admin.client.get(secrets, { namespace, name: "token" });
      expect(data?.["token"]).toBeDefined();
      return Buffer.from(data?.["token"] ?? "", "base64").toString("utf8");
    },
    { timeout: 60_000 },
  );
  writeFileSync(join(folder, "token"), token);
  writeFileSync(join(folder, "namespace"), namespace);
  writeFileSync(join(folder, "ca.crt"), connection.trust().ca ?? "");

  const pod = clientOver(inCluster("127.0.0.1", new URL(connection.server).port, folder));
  const review = await pod.client.create(reviews, { metadata: {} });
  expect(review.status?.userInfo?.username).toBe(`system:serviceaccount:${namespace}:default`);

  // The token file is renewed in place: a token that is refused is read again.
  writeFileSync(join(folder, "token"), "refused");
  const late = clientOver(inCluster("127.0.0.1", new URL(connection.server).port, folder));
  await expect(late.client.create(reviews, { metadata: {} })).rejects.toMatchObject({ status: 401 });
  writeFileSync(join(folder, "token"), token);
  await expect(late.client.create(reviews, { metadata: {} })).resolves.toBeDefined();

  for (const { close } of [admin, pod, late]) await close();
  rmSync(folder, { recursive: true });
});
