import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, open, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCredentials } from "../../../../src/worker/http/credentials.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "credentials-"));
});
afterEach(() => rm(directory, { recursive: true }));

const read = (from = directory) =>
  readCredentials(
    { side: "dynamics", directory: from, secretName: "contoso-dynamics" },
    ["clientId", "clientSecret"],
    ["tokenUrl"],
  );

test("keys are read without the newline that an editor left, and optional ones only if they are there", async () => {
  await writeFile(join(directory, "clientId"), "id\n");
  await writeFile(join(directory, "clientSecret"), " se cret \r\n");
  expect(await read()).toEqual({ clientId: "id", clientSecret: " se cret " });
  await writeFile(join(directory, "tokenUrl"), "https://example.com/token");
  expect(await read()).toMatchObject({ tokenUrl: "https://example.com/token" });
});

test("a missing key, an empty one and a missing directory name Secret, side and key", async () => {
  const missing = { code: "CredentialsMissing", outcome: "NotSent" };
  await writeFile(join(directory, "clientId"), "id");
  await expect(read()).rejects.toMatchObject(missing);
  await expect(read()).rejects.toThrow(/"contoso-dynamics" \(dynamics\.credentialsSecretRef\).*"clientSecret"/);
  await writeFile(join(directory, "clientSecret"), "\n");
  await expect(read()).rejects.toMatchObject(missing);
  await expect(read(join(directory, "nowhere"))).rejects.toMatchObject(missing);
  await expect(read(join(directory, "nowhere"))).rejects.toThrow(/"clientId"/);
});

test("a version that goes away while it is read is not taken for a missing key", async () => {
  for (const version of ["..v0", "..v1"]) await mkdir(join(directory, version));
  const pipe = join(directory, "..v0", "clientId"); // reading it waits for the test
  spawnSync("mkfifo", [pipe]);
  await symlink("..v0", join(directory, "..data"));
  const reading = read();
  const writer = await open(pipe, "w");
  for (const key of ["clientId", "clientSecret"]) await writeFile(join(directory, "..v1", key), "new");
  await symlink("..v1", join(directory, "..next"));
  await rename(join(directory, "..next"), join(directory, "..data"));
  await writer.write("old");
  await writer.close();
  expect(await reading).toEqual({ clientId: "new", clientSecret: "new" });
});

test("keys come from one version of the Secret, while the kubelet turns its link over and over", async () => {
  const turn = async (version: number) => {
    await mkdir(join(directory, `..v${version}`));
    for (const key of ["clientId", "clientSecret"])
      await writeFile(join(directory, `..v${version}`, key), `${version}`);
    await symlink(`..v${version}`, join(directory, "..next"));
    await rename(join(directory, "..next"), join(directory, "..data"));
    if (version > 0) await rm(join(directory, `..v${version - 1}`), { recursive: true });
  };
  await turn(0);
  let turning = true;
  const turns = (async () => {
    for (let version = 1; turning; version++) await turn(version);
  })();
  for (let round = 0; round < 100; round++) {
    for (const { clientId, clientSecret } of await Promise.all(Array.from({ length: 20 }, () => read()))) {
      expect(clientId).toBe(clientSecret);
    }
  }
  turning = false;
  await turns;
});
