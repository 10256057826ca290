import { vi } from "vitest";
import type { Client } from "../../../src/kubernetes/client.ts";
import type { ResourceKind } from "../../../src/kubernetes/objects.ts";

const serviceAccounts: ResourceKind = {
  group: "",
  version: "v1",
  plural: "serviceaccounts",
  kind: "ServiceAccount",
  namespaced: true,
};

/**
 * A namespace's account is made by a controller, a moment after it. Before, a pod is refused, and a Secret for a token of
 * the account is deleted.
 */
export async function untilAccountIsThere(client: Client, namespace: string): Promise<void> {
  await vi.waitFor(() => client.get(serviceAccounts, { namespace, name: "default" }), { timeout: 60_000 });
}
