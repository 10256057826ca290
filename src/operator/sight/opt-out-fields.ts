import type { EffectiveSpec } from "../../api/configuration.ts";
import { systemAddress } from "./shared-limits.ts";

/** The parts of a spec, written or pinned, that say which opt-out fields it is about. */
type Fields = Pick<EffectiveSpec, "type" | "ingress" | "optInOut" | "dynamics" | "campaign">;

/** Campaign's resource of people, the only one with opt-out fields. */
const people = "profile";

/**
 * The fields of the profile that a workflow has in its hand and that are, or may be, opt-outs, by the names that the spec of
 * an OptInOut gives them: older instances say `blackListEmail` for `denyListEmail`. Of an Ingress, all fields that it writes.
 */
export function profileFieldsOf({ type, ingress, optInOut }: Fields): ReadonlySet<string> {
  if (type === "OptInOut") {
    // Disabled moves nothing.
    return new Set(optInOut?.direction === "Disabled" ? [] : optInOut?.mappings.map(({ field }) => field));
  }
  const mappings = type === "Ingress" ? (ingress?.mappings ?? []) : [];
  const written = mappings.filter(({ resource }) => resource === people);
  const names = written.flatMap(({ fields = [], constants = [] }) =>
    [...fields, ...constants].map(({ field }) => field),
  );
  return new Set(names.map((name) => name.replace(/^blackList/, "denyList")).filter((name) => optOut.test(name)));
}

/** The eight that the schema of an OptInOut takes. Source: see src/api/schema/opt-in-out.ts */
const optOut = /^(denyList(Email|Fax|Mobile|Phone|PostalMail|Pushnotification)?|ccpaOptOut)$/;

/**
 * Where workflows are found that could have the same fields: namespace and both systems in one word. Over namespaces nobody
 * is kept from starting: whoever may write one namespace must not be able to stop what runs in another.
 * @returns undefined for a workflow without such fields
 */
export function sameSystemsOf(namespace: string, spec: Fields): string | undefined {
  if (profileFieldsOf(spec).size === 0) return undefined;
  return `${namespace} ${systemAddress(spec.dynamics.url)} ${systemAddress(spec.campaign.url)}`;
}
