/** What is in the image besides our own code: a bill of materials (CycloneDX) and the licences, from what was bundled. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/** A package of which something is in a bundle. */
interface Bundled {
  /** As package-lock.json names it: `node_modules/undici`. */
  readonly place: string;
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** An SPDX identifier or expression. */
  readonly license: string;
}

/** Of a package's package.json. */
interface Declared {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
}

interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
}

/** What npm's package "node" has linked in, as CycloneDX names what vulnerability scanners look for. */
const runtimeParts: Readonly<Record<string, string>> = {
  ares: "c-ares",
  brotli: "brotli",
  icu: "icu",
  llhttp: "llhttp",
  nghttp2: "nghttp2",
  openssl: "openssl",
  simdjson: "simdjson",
  simdutf: "simdutf",
  sqlite: "sqlite",
  undici: "undici",
  uv: "libuv",
  v8: "v8",
  zlib: "zlib",
  zstd: "zstd",
};

/**
 * Writes `sbom.cdx.json` and `THIRD-PARTY-LICENSES.txt`. The same sources give the same bytes.
 * @param metafiles of all that is put into the image
 * @throws Error for a package without a licence
 */
export function writeBillOfMaterials(folder: string, metafiles: readonly Metafile[]): void {
  const packages = bundledPackages(metafiles);
  // As npm writes it.
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, LockedPackage> };
  const own = JSON.parse(readFileSync("package.json", "utf8")) as { name: string; version: string; license: string };
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": own.name,
        name: own.name,
        version: own.version,
        licenses: [{ license: { id: own.license } }],
      },
    },
    components: [...packages.map((each) => component(each, lock.packages[each.place])), runtime()],
  };
  writeFileSync(join(folder, "sbom.cdx.json"), `${JSON.stringify(document, undefined, 2)}\n`);
  writeFileSync(join(folder, "THIRD-PARTY-LICENSES.txt"), licenceTexts(packages));
}

/** Each once, by name and version. */
function bundledPackages(metafiles: readonly Metafile[]): readonly Bundled[] {
  const found = new Map<string, Bundled>();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
        if (bytesInOutput === 0 || folder === undefined || found.has(folder)) continue;
        const { name, version, ...declared } = JSON.parse(
          readFileSync(join(folder, "package.json"), "utf8"),
        ) as Declared;
        // Older packages have a list.
        const license = declared.license ?? declared.licenses?.[0]?.type;
        if (license === undefined) throw new Error(`${folder}/package.json names no licence`);
        const place = folder.slice(folder.indexOf("node_modules/"));
        found.set(folder, { place, folder, name, version, license });
      }
    }
  }
  return [...found.values()].sort((one, other) =>
    `${one.name}@${one.version}` < `${other.name}@${other.version}` ? -1 : 1,
  );
}

function component({ name, version, license }: Bundled, locked: LockedPackage | undefined) {
  if (locked?.version !== version)
    throw new Error(`${name} is ${version}, and ${locked?.version} in package-lock.json`);
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const [group, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const [algorithm, hash] = locked.integrity?.split("-") ?? [];
  return {
    type: "library",
    "bom-ref": purl,
    ...(group === undefined ? {} : { group }),
    name: bare ?? name,
    version,
    ...(algorithm !== "sha512" || hash === undefined
      ? {}
      : { hashes: [{ alg: "SHA-512", content: Buffer.from(hash, "base64").toString("hex") }] }),
    licenses: [/[ ()]/.test(license) ? { expression: license } : { license: { id: license } }],
    purl,
  };
}

/** The Node that this build runs on: the one of an image that the project makes; another base brings its own. */
function runtime() {
  const { versions } = process;
  const parts = Object.entries(runtimeParts).flatMap(([key, name]) => {
    const version = versions[key];
    return version === undefined ? [] : [{ type: "library", "bom-ref": `node/${name}@${version}`, name, version }];
  });
  return {
    type: "platform",
    "bom-ref": `node@${versions.node}`,
    name: "node",
    version: versions.node,
    description: "comes with the base image",
    licenses: [{ license: { id: "MIT" } }],
    cpe: `cpe:2.3:a:nodejs:node.js:${versions.node}:*:*:*:*:*:*:*`,
    components: parts,
  };
}

function licenceTexts(packages: readonly Bundled[]): string {
  const rule = "-".repeat(80);
  const sections = packages.map(
    (each) => `${rule}\n${each.name} ${each.version} (${each.license})\n\n${textOf(each)}\n`,
  );
  return `Software of others that is part of this program, each under its own licence.\n\n${sections.join("\n")}`;
}

function textOf({ folder, license }: Bundled): string {
  const files = readdirSync(folder).sort();
  const read = (file: string): string => readFileSync(join(folder, file), "utf8").trim();
  const texts = files.filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).map(read);
  if (texts.length > 0) return texts.join("\n\n");
  const readme = files.find((file) => /^readme/i.test(file));
  const section = readme === undefined ? undefined : /^#+ *licen[cs]e\b[\s\S]*/im.exec(read(readme))?.[0];
  if (license === "Apache-2.0")
    return "The text is in LICENSE, beside this file's folder: it is this program's own licence too.";
  return section ?? `The package names ${license} and carries no text of it.`;
}
