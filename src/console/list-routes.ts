/** The list of workflows, page by page, and what changes of it. */
import type { FastifyInstance } from "fastify";
import { workflowTypes } from "../api/integration-workflow.ts";
import { workflowStates } from "../api/workflow-states.ts";
import { ApiError } from "../kubernetes/errors.ts";
import { byPlace, type LiveWorkflow, placeOf, workflows } from "../steering/workflow.ts";
import { stream } from "./live.ts";
import { type Listed, listPage, listRow, queryOf, rowId, type Selection } from "./pages/list.ts";
import { namespacePage } from "./pages/namespace.ts";
import type { Person } from "./person.ts";
import { isStillSo, offerIn, offerOf, offerQuery, rememberedRights, switchableNamespaces } from "./rights.ts";
import { texts } from "./texts.ts";
import { Turnstile } from "./turnstile.ts";
import { type Query, resumeAt, type WorkflowRoutesParts } from "./workflow-routes.ts";

const rowsAPage = 100;
/** Of one answer of the API server: what is not shown is forgotten before the next is asked for. */
const workflowsAtOnce = 500;
/** When many people come back at once, as after a restart of the API server, the others wait. */
const listsAtOnce = 4;

export function addListRoutes(server: FastifyInstance, parts: WorkflowRoutesParts): void {
  const { sessions, clock, now, logger, who, send } = parts;
  const turnstile = new Turnstile(listsAtOnce);

  server.get<{ Querystring: Query }>("/workflows", async (request, reply) => {
    const signed = await who(request, reply);
    const { user } = signed.session;
    const selection = selectionOf(request.query);
    const listed = await turnstile
      .pass(() => listOf(signed.person, selection))
      .catch((error: unknown) => {
        if (selection.namespace === undefined && error instanceof ApiError && error.status === 403) return error;
        throw error;
      });
    if (listed instanceof ApiError) return send(reply, namespacePage(listed.said, user, signed.canSignOut));
    const { items, resourceVersion } = listed;
    const pages = Math.max(1, Math.ceil(items.length / rowsAPage));
    const page = Math.min(selection.page, pages);
    const first = (page - 1) * rowsAPage;
    const shown = items.slice(first, first + rowsAPage);
    const namespaces = shown.map(({ metadata }) => metadata.namespace);
    const switchable = await switchableNamespaces(signed, namespaces);
    const maySwitch = (namespace: string) => switchable.has(namespace);
    const [before, last] = [items[first - 1], shown.at(-1)];
    const live = new URLSearchParams({
      ...queryOf({ ...selection, page: 1 }),
      ...(before !== undefined && { from: placeOf(before) }),
      ...(page < pages && last !== undefined && { to: placeOf(last) }),
      ...offerQuery(offerOf(namespaces, maySwitch)),
      after: resourceVersion,
    });
    return send(
      reply,
      listPage({
        user,
        canSignOut: signed.canSignOut,
        selection: { ...selection, page },
        shown,
        total: items.length,
        pages,
        counts: countsOf(items),
        namespaces: [...new Set(items.map(({ metadata }) => metadata.namespace))].sort(),
        live: `/live/workflows?${live}`,
        nowMs: now(),
        maySwitch,
      }),
    );
  });

  server.get<{ Querystring: Query }>("/live/workflows", async (request, reply) => {
    const signed = await who(request, reply);
    const { query } = request;
    const selection = selectionOf(query);
    const { from = "", to = "" } = query;
    const maySwitchThere = rememberedRights(signed, now);
    await stream(request, reply, {
      who: signed,
      sessions,
      clock,
      logger,
      query: queryFor(selection),
      resourceVersion: resumeAt(request),
      isShown: (workflow) => {
        const place = placeOf(workflow);
        return place > from && (to === "" || place <= to);
      },
      parts: async (workflow, isGone) => {
        const row = isGone ? undefined : listRow(workflow, await maySwitchThere(workflow.metadata.namespace), now());
        return new Map([[rowId(workflow), row]]);
      },
      isStillSo: () => isStillSo(signed, offerIn(query)),
    });
  });
}

/** @throws ApiError NotFound, in words for whoever reads it, where the cluster has no such resource */
async function listOf(
  { reader }: Person,
  selection: Selection,
): Promise<{ readonly items: readonly Listed[]; readonly resourceVersion: string }> {
  const items: Listed[] = [];
  let continueToken: string | undefined;
  for (;;) {
    const page = await reader
      .listPage(workflows, { ...queryFor(selection), limit: workflowsAtOnce, continueToken })
      .catch((error: unknown) => {
        throw error instanceof ApiError && error.status === 404 ? notInstalled(error) : error;
      });
    items.push(...page.items.map(listed));
    continueToken = page.continueToken;
    if (continueToken === undefined) return { items: items.sort(byPlace), resourceVersion: page.resourceVersion };
  }
}

function notInstalled({ status, reason }: ApiError): ApiError {
  return new ApiError({ status, reason, message: texts.notInstalled, call: "list" });
}

/** What the list shows of a workflow: a tenth of it. */
function listed({ metadata, spec, status }: LiveWorkflow): Listed {
  const { name, namespace, uid } = metadata;
  const { transitions: _, pendingChanges: __, ...shown } = status ?? {};
  return { metadata: { name, namespace, uid }, spec: { type: spec.type, state: spec.state }, status: shown };
}

function selectionOf(query: Query): Selection {
  const page = Number(query["page"] ?? 1);
  return {
    namespace: query["namespace"] || undefined,
    state: workflowStates.find((state) => state === query["state"]),
    type: workflowTypes.find((type) => type === query["type"]),
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

/** The API server chooses, and tells of a workflow that is chosen no more as of one that is gone. */
function queryFor({ namespace, state, type }: Selection) {
  const fields = {
    ...(state !== undefined && { "status.state": state }),
    ...(type !== undefined && { "spec.type": type }),
  };
  const fieldSelector = Object.entries(fields)
    .map((field) => field.join("="))
    .join();
  return { namespace, fieldSelector };
}

function countsOf(items: readonly Listed[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status } of items)
    if (status?.state !== undefined) counts[status.state] = (counts[status.state] ?? 0) + 1;
  return counts;
}
