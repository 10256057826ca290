/** The page of one workflow and what can be done there. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../kubernetes/errors.ts";
import { keyOf } from "../kubernetes/objects.ts";
import { FieldOwnedError, switchWorkflow } from "../steering/switch.ts";
import { type LiveWorkflow, workflows } from "../steering/workflow.ts";
import type { DatedClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Html } from "./html.ts";
import { stream } from "./live.ts";
import { logsOf } from "./logs.ts";
import { pathOf } from "./pages/actions.ts";
import { logsPage } from "./pages/logs.ts";
import { pastParts } from "./pages/past.ts";
import { overrulePage, restartPage, stopPage } from "./pages/stop.ts";
import { goneParts, workflowPage, workflowParts } from "./pages/workflow.ts";
import { pastOf } from "./past.ts";
import { isStillSo, maySwitch, offerIn, offerOf, offerQuery, rememberedRights } from "./rights.ts";
import type { Sessions } from "./sign-in/session.ts";
import type { SignedIn } from "./sign-in/signed-in.ts";
import { texts } from "./texts.ts";

export interface WorkflowRoutesParts {
  readonly sessions: Sessions;
  readonly clock: DatedClock;
  readonly now: () => number;
  readonly logger: Logger;
  /** @throws NotSignedIn */
  readonly who: (request: FastifyRequest, reply: FastifyReply) => Promise<SignedIn>;
  readonly send: (reply: FastifyReply, content: Html) => FastifyReply;
}

const deeds = ["start", "stop", "restart"] as const;
type Deed = (typeof deeds)[number];

export interface Place {
  readonly namespace: string;
  readonly name: string;
}

export type Query = Readonly<Record<string, string | undefined>>;

export function addWorkflowRoutes(server: FastifyInstance, parts: WorkflowRoutesParts): void {
  const { sessions, clock, now, logger, who, send } = parts;

  server.get<{ Params: Place; Querystring: Query }>("/workflows/:namespace/:name", async (request, reply) => {
    const signed = await who(request, reply);
    const workflow = await signed.person.reader.get(workflows, request.params);
    const isSwitchable = await maySwitch(signed, workflow.metadata.namespace);
    const live = new URLSearchParams({
      ...offerQuery(offerOf([workflow.metadata.namespace], () => isSwitchable)),
      after: workflow.metadata.resourceVersion,
    });
    const { said } = request.query;
    const asked = [...deeds, "edit" as const, "make" as const].find((deed) => deed === said);
    return send(
      reply,
      workflowPage({
        user: signed.session.user,
        canSignOut: signed.canSignOut,
        workflow,
        past: await pastOf(signed.person, workflow),
        maySwitch: isSwitchable,
        nowMs: now(),
        said: asked === undefined ? undefined : texts.asked[asked],
        live: `/live${pathOf(workflow)}?${live}`,
      }),
    );
  });

  server.get<{ Params: Place; Querystring: Query }>("/live/workflows/:namespace/:name", async (request, reply) => {
    const signed = await who(request, reply);
    const { namespace, name } = request.params;
    let lastMoment = "";
    const maySwitchThere = rememberedRights(signed, now);
    await stream(request, reply, {
      who: signed,
      sessions,
      clock,
      logger,
      query: { namespace, name },
      resourceVersion: resumeAt(request),
      isShown: () => true,
      isStillSo: () => isStillSo(signed, offerIn(request.query)),
      parts: async (workflow, isGone) => {
        if (isGone) return goneParts();
        const parts = workflowParts(workflow, await maySwitchThere(namespace), now());
        // Counters change every few seconds; the past is asked for when there is something new of it.
        const moment = momentOf(workflow);
        if (moment === lastMoment) return parts;
        lastMoment = moment;
        return new Map([...parts, ...pastParts(workflow, await pastOf(signed.person, workflow), now())]);
      },
    });
  });

  for (const [deed, askingPage] of [["stop", stopPage] as const, ["restart", restartPage] as const]) {
    server.get<{ Params: Place }>(`/workflows/:namespace/:name/${deed}`, async (request, reply) => {
      const signed = await who(request, reply);
      const workflow = await signed.person.reader.get(workflows, request.params);
      return send(reply, askingPage(workflow, signed.session.user, signed.canSignOut));
    });
  }

  server.get<{ Params: Place }>("/workflows/:namespace/:name/logs", async (request, reply) => {
    const { person, session, canSignOut } = await who(request, reply);
    const workflow = await person.reader.get(workflows, request.params);
    return send(reply, logsPage({ workflow, user: session.user, canSignOut, logs: await logsOf(person, workflow) }));
  });

  for (const deed of deeds) {
    server.post<{ Params: Place; Body: unknown }>(`/workflows/:namespace/:name/${deed}`, async (request, reply) => {
      const signed = await who(request, reply);
      const { params: place } = request;
      try {
        const workflow = await switchWorkflow(signed.person.switcher, place, askedBy(deed, now()), {
          overrule: overruledBy(request.body),
        });
        logger.info("workflow.switched", { workflow: keyOf(place), deed, user: signed.session.user });
        return await reply.redirect(`${pathOf(workflow)}?said=${deed}`, 303);
      } catch (error) {
        if (!(error instanceof FieldOwnedError)) throw error;
        const workflow = await signed.person.reader.get(workflows, place);
        const managers = error.owners.map(({ manager }) => manager);
        reply.code(409);
        return send(reply, overrulePage(workflow, deed, managers, error.field, signed.session.user, signed.canSignOut));
      }
    });
  }
}

function momentOf({ metadata, status = {} }: LiveWorkflow): string {
  return JSON.stringify([metadata.generation, status.state, status.transitions?.[0]?.at, status.appliedRevision?.run]);
}

function askedBy(deed: Deed, nowMs: number) {
  if (deed === "restart") return { restart: new Date(nowMs).toISOString() };
  return { state: deed === "start" ? ("Running" as const) : ("Stopped" as const) };
}

/** Managers that the person has agreed to overrule. */
export function overruledBy(body: unknown): readonly string[] {
  if (typeof body !== "object" || body === null || !("overrule" in body)) return [];
  return [body.overrule].flat().filter((manager) => typeof manager === "string");
}

/** A browser that lost the connection says by this header how far it had come. */
export function resumeAt(request: FastifyRequest): string {
  const last = request.headers["last-event-id"];
  const { after } = request.query as Query; // Fastify gives every query as text.
  const version = typeof last === "string" && last !== "" ? last : (after ?? "");
  return /^\d{1,20}$/.test(version) ? version : "0";
}

/** What the API server refuses, as a page says it. */
export function problemOf(
  error: unknown,
): { readonly status: number; readonly title: string; readonly message: string } | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const message = error.said;
  if (error.status === 403) return { status: 403, title: "You may not do that", message };
  if (error.status === 404) return { status: 404, title: "It is not there", message };
  if (error.status === 409) return { status: 409, title: "Somebody else was quicker", message };
  return { status: error.status === 422 ? 422 : 502, title: "The cluster refused it", message };
}
