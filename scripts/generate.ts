/**
 * `npm run generate`: writes what follows from src/api and from the tables in this folder. With `--check` it writes
 * nothing and fails if a file is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { dump } from "js-yaml";
import { customResourceDefinition } from "../src/api/crd.ts";
import { failuresPage } from "./failures-page.ts";
import { networkPage } from "./network-page.ts";
import { referencePage } from "./reference.ts";
import { rightsPage } from "./rights-page.ts";

const banner = "# Generated from src/api by `npm run generate`: edit there.\n";
const crd = dump(customResourceDefinition, { lineWidth: 120, noRefs: true });

const files: Readonly<Record<string, string>> = {
  "crds/integrationworkflows.yaml": banner + crd,
  "charts/integration-workflow-operator/templates/crd.yaml": `${banner}${chartTemplate()}`,
  "docs/reference.md": referencePage(customResourceDefinition),
  "docs/explanation/network.md": networkPage(),
  "docs/explanation/rights.md": rightsPage(),
  "docs/failures.md": failuresPage(),
};

const stale = Object.entries(files).filter(([path, content]) => read(path) !== content);
if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`${path} is not what its source says: run npm run generate and commit it`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [path, content] of stale) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    console.log(`wrote ${path}`);
  }
}

/** In the chart's templates, so that an upgrade brings it; a file under crds/ would be installed once and never again. */
function chartTemplate(): string {
  const marker = "CHART_METADATA";
  const { metadata, ...rest } = customResourceDefinition;
  const body = dump({ ...rest, metadata: { ...metadata, [marker]: null } }, { lineWidth: 120, noRefs: true })
    // Helm reads {{ as its own.
    .replaceAll("{{", '{{ "{{" }}');
  const injected = body.replace(
    new RegExp(`^  ${marker}: null$`, "m"),
    `  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
  labels:
    {{- include "operator.labels" . | nindent 4 }}`,
  );
  return `{{- if .Values.crds.enabled }}\n${injected}{{- end }}\n`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
