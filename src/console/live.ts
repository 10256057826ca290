/** Changes as they happen, to one open page: server-sent events from a watch with the person's own identity. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { apiGroup, plural } from "../api/group.ts";
import { ApiError, isForbidden, isGone, statusError } from "../kubernetes/errors.ts";
import { watchEvents } from "../kubernetes/watch.ts";
import { type LiveWorkflow, workflows } from "../steering/workflow.ts";
import { type DatedClock, sleep } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Html } from "./html.ts";
import { Outbox } from "./outbox.ts";
import { may } from "./person.ts";
import type { Sessions } from "./sign-in/session.ts";
import type { SignedIn } from "./sign-in/signed-in.ts";

/** A workflow as it was last seen. */
interface Seen {
  readonly workflow: LiveWorkflow;
  readonly isGone: boolean;
}

export interface LiveOptions {
  readonly who: SignedIn;
  readonly sessions: Sessions;
  readonly query: {
    readonly namespace?: string | undefined;
    readonly name?: string | undefined;
    readonly fieldSelector?: string | undefined;
  };
  /** Where the page's own list ended. */
  readonly resourceVersion: string;
  /** Whether the page has a place for it. */
  readonly isShown: (workflow: LiveWorkflow) => boolean;
  /** What a change makes of the page: parts by their id; an empty one takes the part away. */
  readonly parts: (workflow: LiveWorkflow, isGone: boolean) => Promise<ReadonlyMap<string, Html | undefined>>;
  /** Whether the page still shows what the person may do. */
  readonly isStillSo: () => Promise<boolean>;
  readonly clock: DatedClock;
  readonly logger: Logger;
}

/** Why a stream is over, as the browser is told it. */
type End = "signed-out" | "over" | "forbidden";

/** A watch is opened anew this often; one that is silent for longer is taken for broken. */
const watchSeconds = 60;
const silentMs = (watchSeconds + 10) * 1000;
/**
 * As often the API server is asked whether the person may still watch: it ends no watch of its own accord when a token or
 * a right is taken away. As often the browser hears that the stream is alive.
 */
const checkEveryMs = 15_000;
const checkTimeoutMs = 10_000;
const againMs = 2000;
/** What changes within this time after a message is told in the next one. */
const gatherMs = 50;
/** Whoever has taken nothing for so long is not there, or means ill. */
const stuckMs = 30_000;

/**
 * Streams until the browser leaves, the session ends, or the API server lets the person watch no more. Nothing is kept here
 * but what waits to be sent: a page that comes back tells where it was, and is told to load itself anew where that is too
 * long ago.
 */
export async function stream(request: FastifyRequest, reply: FastifyReply, options: LiveOptions): Promise<void> {
  const { who, sessions, clock, logger } = options;
  const over = new AbortController();
  const end = (): void => over.abort();
  request.raw.socket.once("close", end);
  // A timer's millisecond is not the date's: it may fire in the one before, when the session is not over yet.
  const cancelEnd = clock.schedule(Math.max(0, who.session.endsAtMs - clock.date().getTime()) + 1, end);
  const cancelSignOut = sessions.onEnd(who.session, end);
  const cookies = reply.getHeader("set-cookie");
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // A proxy that gathers answers would hold these back.
    "x-accel-buffering": "no",
    // A token that was renewed for this request.
    ...(cookies !== undefined && { "set-cookie": [cookies].flat().map(String) }),
  });
  raw.flushHeaders();
  const outbox = new Outbox<Seen>(options.resourceVersion);
  let why: End | undefined;
  try {
    why = await Promise.race([
      follow(options, outbox, over.signal),
      check(options, outbox, over.signal),
      send(options, outbox, raw, over.signal),
    ]);
  } catch (error) {
    if (isUnauthorized(error)) why = lost(who);
    else logger.warn("stream.failed", { error });
  } finally {
    if (sessions.isOver(who.session)) why = "signed-out";
    over.abort();
    cancelEnd();
    cancelSignOut();
    request.raw.socket.off("close", end);
    close(raw, why, clock);
    logger.debug("stream.closed", { why });
  }
}

/** Says why, and waits for nobody who does not read it. Without a reason the browser comes back. */
function close(raw: ServerResponse, why: End | undefined, clock: DatedClock): void {
  if (raw.destroyed) return;
  const cancel = clock.schedule(stuckMs, () => raw.destroy());
  raw.once("close", cancel);
  raw.end(why === undefined ? "" : eventText("end", { why }));
}

function eventText(event: string, data: unknown, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function isUnauthorized(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** A token that is taken no more can be renewed where a browser comes back, in some sessions. */
function lost({ session }: SignedIn): End | undefined {
  return session.renewal === undefined ? "over" : undefined;
}

/** Resolves when the person may watch no more. */
async function check(
  { who, query: { namespace, name }, isStillSo, clock }: LiveOptions,
  outbox: Outbox<Seen>,
  signal: AbortSignal,
): Promise<End | undefined> {
  for (;;) {
    await sleep(clock, checkEveryMs, signal);
    if (signal.aborted) return undefined;
    try {
      const deed = { namespace, name, verb: "watch", group: apiGroup, resource: plural } as const;
      if (!(await may(who.person, deed, { signal, timeoutMs: checkTimeoutMs }))) return "forbidden";
      outbox.say((await isStillSo()) ? "seen" : "refresh");
    } catch (error) {
      if (isUnauthorized(error)) return lost(who);
      // An API server that cannot be asked now will be asked again; nobody knows what it would tell meanwhile.
      outbox.say("wait");
    }
  }
}

async function follow(
  { who, query, ...options }: LiveOptions,
  outbox: Outbox<Seen>,
  signal: AbortSignal,
): Promise<End | undefined> {
  const { isShown, clock } = options;
  const { namespace, name, fieldSelector = name && `metadata.name=${name}` } = query;
  let { resourceVersion } = options;
  while (!signal.aborted) {
    const silent = new AbortController();
    const cancel = clock.schedule(silentMs, () => silent.abort());
    try {
      const asked = { namespace, fieldSelector, resourceVersion, timeoutSeconds: watchSeconds };
      const opened = await who.person.reader.watch(workflows, asked, AbortSignal.any([signal, silent.signal]));
      outbox.say("seen");
      for await (const event of watchEvents(opened)) {
        if (event.type === "ERROR") throw statusError("watch", event.object);
        resourceVersion = event.object.metadata.resourceVersion;
        // What a watch of this kind sends, but for its bookmarks, is of this kind.
        const workflow = event.type === "BOOKMARK" ? undefined : (event.object as LiveWorkflow);
        if (workflow === undefined || !isShown(workflow)) outbox.pass(resourceVersion);
        else outbox.put(workflow.metadata.uid, { workflow, isGone: event.type === "DELETED" }, resourceVersion);
      }
    } catch (error) {
      if (signal.aborted) break;
      if (isUnauthorized(error)) return lost(who);
      if (isForbidden(error)) return "forbidden";
      // What is loaded anew comes with a stream of its own.
      outbox.say(isGone(error) ? "refresh" : "wait");
      await sleep(clock, isGone(error) ? silentMs : againMs, signal);
    } finally {
      cancel();
    }
  }
  return undefined;
}

/** Writes what waits, no faster than the browser reads. Resolves when it reads no more. */
async function send(
  { parts, clock, logger }: LiveOptions,
  outbox: Outbox<Seen>,
  raw: ServerResponse,
  signal: AbortSignal,
): Promise<End | undefined> {
  while (!signal.aborted) {
    await outbox.filled;
    const { changes, notice, version } = outbox.take();
    const told: [id: string, html: string][] = [];
    for (const { workflow, isGone } of changes) {
      for (const [id, part] of await parts(workflow, isGone)) told.push([id, part?.toString() ?? ""]);
    }
    const text = [
      told.length > 0 && eventText("parts", told, version),
      notice !== undefined && eventText(notice, {}, version),
    ];
    if (signal.aborted) break;
    if (!raw.write(text.filter((event) => event !== false).join("")) && !(await isRead(raw, clock, signal))) {
      logger.warn("stream.stuck");
      raw.destroy();
      return undefined;
    }
    await sleep(clock, gatherMs, signal);
  }
  return undefined;
}

async function isRead(raw: ServerResponse, clock: DatedClock, signal: AbortSignal): Promise<boolean> {
  const late = new AbortController();
  const cancel = clock.schedule(stuckMs, () => late.abort());
  try {
    await once(raw, "drain", { signal: AbortSignal.any([signal, late.signal]) });
    return true;
  } catch {
    return signal.aborted;
  } finally {
    cancel();
  }
}
