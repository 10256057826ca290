/** What every pod of a worker's image is like: it passes pod security `restricted`, and finds each system's Secret in a folder. */
import { workerPaths } from "./worker-contract.ts";

/** The container that keeps the worker contract. */
export const workerContainer = "worker";

/** Name of the port on which it answers. */
export const workerPortName = "http";

/** The user of distroless images; the number is what pod security looks at. */
const nonRoot = 65_532;

export const podSecurity = {
  runAsNonRoot: true,
  runAsUser: nonRoot,
  runAsGroup: nonRoot,
  fsGroup: nonRoot,
  fsGroupChangePolicy: "OnRootMismatch",
  seccompProfile: { type: "RuntimeDefault" },
} as const;

export const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
} as const;

/** Group-readable: the files are root's, and the worker's group is fsGroup. */
export const fileMode = 0o440;

export type CredentialsOf = "dynamics" | "campaign" | "sftp" | "postgres";

/** Optional: a missing credential is the worker's to name, with Secret and key. */
export function credentialsVolume(system: CredentialsOf, secretName: string) {
  return { name: `credentials-${system}`, secret: { secretName, optional: true, defaultMode: fileMode } };
}

/** Whole and live, so that a rotated credential needs no restart. */
export function credentialsMount(system: CredentialsOf) {
  return { name: `credentials-${system}`, mountPath: `${workerPaths.credentials}/${system}`, readOnly: true };
}

/** As a source of the volume at `/etc/integration-workflow`. */
export function caBundleSource(configMap: string) {
  return { configMap: { name: configMap, optional: true, items: [{ key: "ca.crt", path: "ca/ca.crt" }] } };
}

/** Holds `workerPaths.configuration` and `workerPaths.caBundle`. */
export const configurationFolder = "/etc/integration-workflow";
