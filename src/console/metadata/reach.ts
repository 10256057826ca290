/** Asking a worker for both systems' metadata, by way of the API server and with the person's own rights. */
import type { V1Pod } from "@kubernetes/client-node";
import { labels } from "../../api/group.ts";
import { metadataPath } from "../../api/worker-metadata.ts";
import { workerPortName } from "../../api/worker-pod.ts";
import type { Client } from "../../kubernetes/client.ts";
import { ApiError, ConnectionError } from "../../kubernetes/errors.ts";
import type { ResourceKind, Stored } from "../../kubernetes/objects.ts";
import type { Said } from "../edit/draft.ts";
import { metadataTexts as texts } from "../metadata-texts.ts";
import { type Known, readAnswer } from "./known.ts";
import { probeSelector } from "./probe.ts";

export type Reached =
  | { readonly is: "Told"; readonly known: Known; readonly by: string }
  /**
   * Why not, in words. `isSoon`: a pod that was made to tell is starting. `mayProbe`: one could be made.
   */
  | { readonly is: "NotTold"; readonly why: string; readonly isSoon: boolean; readonly mayProbe: boolean };

export interface Wanted {
  readonly tables: readonly string[];
  readonly resources: readonly string[];
}

interface Place {
  readonly namespace: string;
  readonly name: string;
}

type Pod = Stored<V1Pod>;
const pods: ResourceKind<Pod> = { group: "", version: "v1", plural: "pods", kind: "Pod", namespaced: true };

/** A form is not held up for longer: what is not answered by then is there at the next look. */
const waitMs = 2500;
const timeoutMs = 4000;
/** A pod that did not answer in time is left alone for so long: each form would wait for it again. */
const silentMs = 30_000;
const mostSilent = 1000;
const mostBytes = 16 * 1024 * 1024;
/** Of each kind in one question; see `metadataLimits`. */
const mostNames = 80;

export class Reach {
  readonly #now: () => number;
  /** Pods, by uid, and when they did not answer. */
  readonly #silent = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * @param made the Job that was just made to ask
   * @throws ApiError for what is no matter of rights, ConnectionError when the API server does not answer
   */
  async ask(reader: Client, { namespace, name }: Place, said: Said, wanted: Wanted, made?: string): Promise<Reached> {
    const selected = (labelSelector: string) => reader.list(pods, { namespace, labelSelector }, { timeoutMs });
    let found: readonly { readonly items: readonly Pod[] }[];
    try {
      found = await Promise.all([selected(probeSelector(name, said)), selected(`${labels.workflow}=${name}`)]);
    } catch (error) {
      if (error instanceof ApiError && error.status === 403) return notTold(texts.mayNotList(namespace));
      throw error;
    }
    const [probes = [], workers = []] = found.map(({ items }) => items.filter(isAlive).sort(byReadiness));
    const probe = probes.find(isUp) ?? probes[0];
    // Whoever had it made wants to know what it says; and it speaks of the form's systems, whatever runs.
    if (probe !== undefined && isUp(probe)) return this.#askPod(reader, probe, wanted, texts.byProbe(jobOf(probe)));
    if (probe !== undefined) return { ...notTold(texts.probeStarts(jobOf(probe), waitingOf(probe))), isSoon: true };
    // Its pod is not there yet.
    if (made !== undefined) return { ...notTold(texts.probeStarts(made, "")), isSoon: true };
    const worker = workers.find(isUp);
    if (worker === undefined) return { ...notTold(texts.nobody), mayProbe: true };
    return this.#askPod(reader, worker, wanted, texts.byWorker);
  }

  async #askPod(reader: Client, pod: Pod, wanted: Wanted, by: string): Promise<Reached> {
    const { namespace = "", name, uid } = pod.metadata;
    const silent = (why: string): NotTold => ({ ...notTold(texts.silent(name, why)), mayProbe: true });
    if (this.#isSilent(uid)) return silent(texts.noAnswer);
    try {
      const known = readAnswer(await reader.getText(proxyPath(pod, wanted), { timeoutMs, maxBytes: mostBytes }));
      return known === undefined ? silent(texts.notUnderstood) : { is: "Told", known, by };
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error;
      if (error instanceof ApiError && error.status === 403) return notTold(texts.mayNotProxy(namespace));
      const why = whyOf(error);
      // A refusal comes at once; nothing at all takes the whole time.
      if (!(error instanceof ApiError)) this.#noteSilent(uid);
      return { ...silent(why), isSoon: why === texts.notBegun || readiness(pod) > 0 };
    }
  }

  #isSilent(uid: string): boolean {
    return this.#now() - (this.#silent.get(uid) ?? Number.NEGATIVE_INFINITY) < silentMs;
  }

  #noteSilent(uid: string): void {
    for (const one of this.#silent.keys())
      if (this.#silent.size >= mostSilent || !this.#isSilent(one)) this.#silent.delete(one);
    this.#silent.set(uid, this.#now());
  }
}

function whyOf(error: ApiError | ConnectionError): string {
  if (!(error instanceof ApiError)) return texts.noAnswer;
  if (error.status === 404) return texts.older;
  return error.status === 503 && error.said.includes("NotReady") ? texts.notBegun : texts.noAnswer;
}

type NotTold = Extract<Reached, { is: "NotTold" }>;

function notTold(why: string): NotTold {
  return { is: "NotTold", why, isSoon: false, mayProbe: false };
}

function isAlive({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && (status?.phase === "Running" || status?.phase === "Pending");
}

function isUp({ status }: Pod): boolean {
  return status?.phase === "Running";
}

function byReadiness(one: Pod, other: Pod): number {
  return readiness(one) - readiness(other);
}

function jobOf({ metadata }: Pod): string {
  return metadata.labels?.["batch.kubernetes.io/job-name"] ?? metadata.name;
}

/** Why a pod's container has not started, in the kubelet's words. */
function waitingOf({ status }: Pod): string {
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  return [waiting?.reason, waiting?.message].filter((words) => words !== undefined).join(": ");
}

function readiness({ status }: Pod): number {
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true ? 0 : 1;
}

function proxyPath({ metadata, spec }: Pod, { tables, resources }: Wanted): string {
  const query = new URLSearchParams({ waitMs: String(waitMs) });
  for (const table of tables.filter(isTable).slice(0, mostNames)) query.append("table", table);
  for (const resource of resources.filter(isResource).slice(0, mostNames)) query.append("resource", resource);
  const port = spec?.containers
    .flatMap(({ ports = [] }) => ports)
    .find(({ name }) => name === workerPortName)?.containerPort;
  const where = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}:${port ?? ""}/proxy`;
  return `${where}${metadataPath}?${query}`;
}

/** What somebody is still typing need not be a name. */
function isTable(name: string): boolean {
  return /^[a-z][a-z0-9_]{0,127}$/.test(name);
}

function isResource(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name);
}
