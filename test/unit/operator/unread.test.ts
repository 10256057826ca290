/** What is not read of an object's text must make no difference to what is kept of the object. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ReadJson, readerWithout } from "../../../src/kubernetes/partial-read.ts";
import {
  projectPod,
  projectReplicaSet,
  unreadOfPod,
  unreadOfReplicaSet,
} from "../../../src/operator/shell/projections.ts";
import { trickyText } from "../kubernetes/tricky-text.ts";

const readPod = readerWithout(unreadOfPod);
const readReplicaSet = readerWithout(unreadOfReplicaSet);

const marks = [unreadOfPod, unreadOfReplicaSet].flatMap(({ after, before, not }) => [...after, before, ...not]);
const text = trickyText(...marks, ',"managedFields":[{', "}]", '\\"', "\\", '"', "}", "{", "é€😀");
const texts = fc.dictionary(text, text, { maxKeys: 2 });
const metadata = fc.record({
  name: text,
  namespace: text,
  uid: text,
  resourceVersion: text,
  labels: fc.oneof(texts, fc.constant({ "integrationworkflow.io/run": "3" })),
  annotations: texts,
  managedFields: fc.constant([{ manager: "kubelet", fieldsV1: { "f:spec": { "f:containers": {} } } }]),
});
const container = fc.record(
  { name: text, env: fc.array(fc.record({ name: text, value: text }), { maxLength: 2 }), restartPolicy: text },
  { requiredKeys: ["name"] },
);
/** In the order of Go's types. */
const podSpec = fc.record(
  {
    volumes: fc.array(fc.record({ name: text, configMap: texts }), { maxLength: 2 }),
    initContainers: fc.array(container, { maxLength: 2 }),
    containers: fc.array(container, { maxLength: 2 }),
    restartPolicy: fc.constant("Always"),
    nodeSelector: texts,
    nodeName: text,
    tolerations: fc.array(texts, { maxLength: 2 }),
  },
  { requiredKeys: ["containers"] },
);
const condition = fc.record({
  type: fc.constantFrom("Ready", "PodScheduled", "ReplicaFailure"),
  status: fc.constantFrom("True", "False"),
  reason: fc.constantFrom("FailedCreate", "Unschedulable"),
  message: text,
});
const conditions = fc.array(condition, { maxLength: 3 });
const pod = fc.record(
  {
    kind: fc.constant("Pod"),
    metadata,
    spec: podSpec,
    status: fc.record({ phase: text, conditions, podIP: text, reason: text, message: text }),
  },
  { requiredKeys: ["kind", "metadata", "spec"] },
);
const replicaSet = fc.record(
  {
    kind: fc.constant("ReplicaSet"),
    metadata,
    spec: fc.record({ replicas: fc.nat(3), selector: texts, template: fc.record({ metadata, spec: podSpec }) }),
    status: fc.record({ replicas: fc.nat(3), observedGeneration: fc.nat(9), conditions }),
  },
  { requiredKeys: ["kind", "metadata", "spec"] },
);

/** As a server writes it that keeps objects as maps. */
function inOrderOfNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrderOfNames);
  if (typeof value !== "object" || value === null) return value;
  const names = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(names.map(([name, part]) => [name, inOrderOfNames(part)]));
}

describe.each([
  ["as kube-apiserver writes it", (value: object) => JSON.stringify(value)],
  ["with names in order", (value: object) => JSON.stringify(inOrderOfNames(value))],
  ["as an event", (value: object) => `{"type":"MODIFIED","object":${JSON.stringify(value)}}`],
])("%s, whatever stands in it", (_form, write) => {
  const objectOf = (read: ReadJson, written: string) => {
    const found = read(written) as { object?: object };
    return (found.object ?? found) as never;
  };

  test("of a pod the same is kept as of one that was read whole", () => {
    const kept = (read: ReadJson, written: string) => projectPod(objectOf(read, written));
    fc.assert(
      fc.property(pod.map(write), (written) => {
        expect(kept(readPod, written)).toEqual(kept(JSON.parse, written));
      }),
    );
  });

  test("of a ReplicaSet the same is kept as of one that was read whole", () => {
    const kept = (read: ReadJson, written: string) => projectReplicaSet(objectOf(read, written));
    fc.assert(
      fc.property(replicaSet.map(write), (written) => {
        expect(kept(readReplicaSet, written)).toEqual(kept(JSON.parse, written));
      }),
    );
  });
});

test("containers and templates of the usual form are not read", () => {
  const [containers, status] = ['"containers":[{"name":"worker"}]', '"status":{"phase":"Running"}'];
  const spec = `"spec":{${containers},"restartPolicy":"Always","nodeName":"node-1"}`;
  expect(readPod(`{"kind":"Pod","metadata":{"name":"a"},${spec},${status}}`)).toEqual({
    kind: "Pod",
    metadata: { name: "a" },
    spec: { restartPolicy: "Always", nodeName: "node-1" },
    status: { phase: "Running" },
  });
  const template = `"template":{"metadata":{"labels":{"a":"b"}},"spec":{${containers}}}`;
  const replicas = `"spec":{"replicas":1,"selector":{},${template}}`;
  expect(readReplicaSet(`{"metadata":{"name":"a"},${replicas},"status":{"replicas":1}}`)).toEqual({
    metadata: { name: "a" },
    spec: { replicas: 1, selector: {}, template: { metadata: { labels: { a: "b" } }, spec: {} } },
    status: { replicas: 1 },
  });
});
