import { object, string } from "./build.ts";

const objectNamePattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";

export function objectName(description: string) {
  return string({ description, minLength: 1, maxLength: 253, pattern: objectNamePattern });
}

/** `keys` says what the Secret must hold. */
export function secretRef(keys: string) {
  return object(
    { name: objectName("Name of a Secret in the workflow's namespace.") },
    { description: `The Secret with the credentials: ${keys}. It is mounted, and read again when it changes.` },
  );
}

/**
 * https to anywhere; plain http only inside the cluster or on loopback. No user info, no query, no fragment.
 * The rule's cost is bounded by the field's maxLength.
 */
export function serviceUrl(field: string, description: string) {
  return string({
    description,
    minLength: 1,
    maxLength: 512,
    rules: [
      {
        rule: "isURL(self) && url(self).getScheme() in ['https', 'http'] && url(self).getHostname() != ''",
        message: `${field} must be a URL with scheme and host, such as https://example.com`,
      },
      {
        rule: "!isURL(self) || url(self).getScheme() != 'http' || url(self).getHostname().endsWith('.svc') || url(self).getHostname().endsWith('.svc.cluster.local') || url(self).getHostname() in ['localhost', '127.0.0.1', '::1']",
        message: `${field} must use https; plain http is only for a Service inside the cluster (name.namespace.svc) or loopback`,
      },
      {
        rule: "!self.contains('@') && !self.contains('?') && !self.contains('#')",
        message: `${field} must have no user info, query or fragment: credentials belong in the Secret`,
      },
      { rule: "!self.endsWith('/')", message: `${field} must not end with a slash` },
    ],
  });
}
