/** The alerts as helm renders them, with the page installed, which has alerts of its own. */
import type { Helm } from "../chart/helm.ts";

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

const withPage = ["console.enabled=true", "console.publicUrl=https://page.example.com"];

/** Prometheus' own form of a file of rules. */
export async function ruleFile(helm: Helm, ...values: readonly string[]): Promise<RuleFile> {
  const objects = await helm.render("prometheusRule.enabled=true", ...withPage, ...values);
  const found = objects.find(({ kind }) => kind === "PrometheusRule");
  if (found === undefined) throw new Error("no PrometheusRule is rendered");
  return found.spec as unknown as RuleFile;
}

export async function renderedRules(helm: Helm, ...values: readonly string[]): Promise<Rule[]> {
  return (await ruleFile(helm, ...values)).groups.flatMap(({ rules }) => rules);
}
