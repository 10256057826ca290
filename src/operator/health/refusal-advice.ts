import { quote } from "./quote.ts";

/** What the API server says of an object that it refuses, and what to do about that where it can be told. */
export function refusalInWords(message: string, namespace: string): string {
  const advice = adviceFor(message, namespace);
  return [quote(message, 2048), ...(advice === undefined ? [] : [advice])].join(". ");
}

function adviceFor(message: string, namespace: string): string | undefined {
  for (const [pattern, advice] of advices) {
    const found = pattern.exec(message);
    if (found !== null) return advice(found[1] ?? "", namespace);
  }
  return undefined;
}

/** The API server's words, as seen on Kubernetes 1.36. */
const advices: readonly (readonly [RegExp, (name: string, namespace: string) => string])[] = [
  [
    /exceeded quota: ([^,\s]+)/,
    (quota, namespace) =>
      `Raise ResourceQuota ${quota} of namespace ${namespace}, free some of it, or ask for less (worker.resources, queue.volume.size) and restart`,
  ],
  [
    /failed quota: ([^:\s]+)/,
    (quota, namespace) =>
      `ResourceQuota ${quota} of namespace ${namespace} wants these said: set them in worker.resources and restart`,
  ],
  [
    /(?:maximum|minimum|max limit to request ratio|min limit to request ratio) \S+ (?:usage )?per (\w+)/i,
    (_, namespace) =>
      `A LimitRange of namespace ${namespace} forbids it: set worker.resources (queue.volume.size for a claim) within it and restart, or have it changed`,
  ],
  [
    /violates PodSecurity "([^":]+)/,
    () =>
      'The worker\'s pod as the operator makes it keeps to "restricted": look for an admission webhook or policy that adds to pods here, such as a sidecar, and exempt the workers from it',
  ],
  [
    /serviceaccount "([^"]+)" not found/,
    (account, namespace) =>
      `Create it (kubectl create serviceaccount -n ${namespace} ${account}), or correct worker.template.serviceAccountName and restart`,
  ],
  [
    /no PriorityClass with name (\S+) was found/,
    (name) => `Create PriorityClass ${name}, or correct worker.template.priorityClassName and restart`,
  ],
  [
    /failed calling webhook "([^"]+)"/,
    (webhook) => `Admission webhook ${webhook} does not answer as it should: have it mended, or taken away`,
  ],
  [
    /admission webhook "([^"]+)" denied/,
    (webhook) => `Give it what it asks for by editing the workflow, or have whoever keeps webhook ${webhook} permit it`,
  ],
  [
    /ValidatingAdmissionPolicy '([^']+)'/,
    (policy) =>
      `Give it what it asks for by editing the workflow, or have whoever keeps ValidatingAdmissionPolicy ${policy} permit it`,
  ],
  [/being terminated/, (_, namespace) => `Namespace ${namespace} is being deleted, and nothing new can be made in it`],
  [/is invalid: /, () => "Correct that field of the workflow"],
];
