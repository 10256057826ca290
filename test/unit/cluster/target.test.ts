import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findTarget, prepareTarget } from "../../../cluster/target.ts";

const noStep = (): never => expect.fail("no step is needed");
const name = "iw-unit-test-that-never-runs";

test("a context is used only as named, and kubectl and helm are told so", async () => {
  const options = { name, context: "staging", image: "registry.example:5000/team/operator:1.2" };
  expect(await prepareTarget(options, {}, noStep)).toEqual({
    target: {
      description: "the context staging",
      kubectlFlags: ["--context", "staging"],
      helmFlags: ["--kube-context", "staging"],
    },
    image: { repository: "registry.example:5000/team/operator", tag: "1.2" },
  });
});

test.each([undefined, "operator", "registry.example:5000/operator"])(
  "a context with the image %s is refused, saying what to name",
  async (image) => {
    const options = { name, context: "staging", ...(image === undefined ? {} : { image }) };
    await expect(prepareTarget(options, {}, noStep)).rejects.toMatchObject({
      code: "ImageNeeded",
      message: expect.stringContaining("--image "),
    });
  },
);

test("without a cluster, the way to one is said; a kind cluster of ours is found by its kubeconfig", async () => {
  const cache = mkdtempSync(join(tmpdir(), "target-"));
  const environment = { INTEGRATION_WORKFLOW_CACHE: cache };
  await expect(findTarget({ name }, environment)).rejects.toMatchObject({
    code: "NoCluster",
    message: expect.stringContaining("npm start"),
  });
  const kubeconfig = join(cache, `kind-${name}.kubeconfig`);
  writeFileSync(kubeconfig, "");
  expect((await findTarget({ name }, environment)).kubectlFlags).toEqual(["--kubeconfig", kubeconfig]);
  rmSync(cache, { recursive: true });
});
