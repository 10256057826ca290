import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { CredentialsError } from "./service-error.ts";

/** Where a side's credentials are, and how its Secret is called in messages. */
export interface CredentialsSource {
  /** The side of the workflow's spec: `dynamics` or `campaign`. */
  readonly side: string;
  /** The directory that the Secret is mounted at: one file a key. */
  readonly directory: string;
  /** The Secret's name, for the person who must mend it. */
  readonly secretName: string;
}

/** The Secret as messages name it, with the field of the spec that refers to it. */
export function secretInWords({ secretName, side }: Pick<CredentialsSource, "secretName" | "side">): string {
  return `the Secret "${secretName}" (${side}.credentialsSecretRef)`;
}

/**
 * Reads a mounted Secret's keys, each without the newlines that editors leave at the end.
 * The kubelet changes all keys at once by turning the link `..data`; the link is resolved first, so that the keys
 * read are of one version of the Secret (Kubernetes: Secrets, "Mounted Secrets are updated automatically").
 * @throws CredentialsError `CredentialsMissing` with Secret, side and key
 */
export async function readCredentials<const Required extends string, const Optional extends string>(
  source: CredentialsSource,
  required: readonly Required[],
  optional: readonly Optional[],
): Promise<Readonly<Record<Required, string> & Partial<Record<Optional, string>>>> {
  for (;;) {
    const directory = await currentVersion(source.directory);
    const found: Record<string, string> = {};
    for (const key of [...required, ...optional]) {
      const value = await readKey(source, directory, key);
      if (value !== undefined) found[key] = value;
    }
    const missing = required.find((key) => found[key] === undefined);
    if (missing === undefined) {
      // Every required key was found; TypeScript does not follow `find`.
      return found as Record<Required, string> & Partial<Record<Optional, string>>;
    }
    if ((await currentVersion(source.directory)) !== directory) continue; // turned while it was read
    throw new CredentialsError(
      "CredentialsMissing",
      `${secretInWords(source)} or its key "${missing}" is missing: ` +
        `create it with the keys ${required.join(", ")}`,
    );
  }
}

async function currentVersion(directory: string): Promise<string> {
  try {
    return await realpath(join(directory, "..data"));
  } catch {
    return directory; // not mounted by a kubelet, or not there at all, which the reading of the keys will say
  }
}

async function readKey(source: CredentialsSource, directory: string, key: string): Promise<string | undefined> {
  try {
    const text = (await readFile(join(directory, key), "utf8")).replace(/[\r\n]+$/, "");
    return text === "" ? undefined : text;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CredentialsError("CredentialsMissing", `the key "${key}" of ${secretInWords(source)} cannot be read`, {
      cause: error,
    });
  }
}
