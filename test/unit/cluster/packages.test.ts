import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { missingPackages } from "../../../cluster/packages.ts";

test("a package is missing when its command is in none of the folders, and is named once", () => {
  const folder = mkdtempSync(join(tmpdir(), "packages-"));
  const none = join(folder, "none");
  const all = join(folder, "all");
  for (const each of [none, all]) mkdirSync(each);
  for (const command of ["runc", "nft", "conntrack", "ip", "unshare", "setpriv", "buildah"]) {
    writeFileSync(join(all, command), "");
    chmodSync(join(all, command), 0o755);
  }
  const packages = ["runc", "nftables", "conntrack", "iproute2", "util-linux", "buildah"];
  expect(missingPackages([none])).toEqual(packages);
  expect(missingPackages([none, all])).toEqual([]);
  chmodSync(join(all, "nft"), 0o644);
  expect(missingPackages([all])).toEqual(["nftables"]);
  rmSync(folder, { recursive: true });
});
