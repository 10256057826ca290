/** Making a workflow: its type, its name and its namespace, then the form of an edit with what most begin with. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { maxNameLength } from "../api/group.ts";
import { type WorkflowType, workflowTypes } from "../api/integration-workflow.ts";
import { isRecord } from "../api/json.ts";
import { draftOf } from "./edit/draft.ts";
import { firstDraft } from "./edit/first-draft.ts";
import { textOf } from "./edit/form-values.ts";
import type { EditDesk, EditParts } from "./edit-desk.ts";
import { largestEditBytes } from "./edit-routes.ts";
import type { EditTarget } from "./pages/edit.ts";
import { newPage } from "./pages/new.ts";
import { problemPage } from "./pages/problem.ts";
import { texts } from "./texts.ts";

/** The page's own addresses of workflows are below /workflows: a namespace may be called new. */
const path = "/new-workflow";

const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

export function addNewRoutes(server: FastifyInstance, { who, send }: EditParts, desk: EditDesk): void {
  type Query = Readonly<Record<string, string | undefined>>;

  server.get<{ Querystring: Query }>(path, async (request, reply) => {
    const signed = await who(request, reply);
    const { query } = request;
    const target = targetOf(query);
    if (typeof target !== "string") {
      return desk.show({ request, reply, signed, target, workflow: undefined }, firstDraft(target.type));
    }
    const { session, canSignOut } = signed;
    const isAsked = query["name"] !== undefined;
    const problem = isAsked ? target : undefined;
    if (isAsked) reply.code(422);
    return send(reply, newPage({ user: session.user, canSignOut, given: query, problem }));
  });

  const take = async (request: FastifyRequest, reply: FastifyReply, isCheck: boolean) => {
    const signed = await who(request, reply);
    const body = isRecord(request.body) ? request.body : {};
    const target = targetOf({
      type: textOf(body, "type"),
      namespace: textOf(body, "namespace"),
      name: textOf(body, "name"),
    });
    const draft = typeof target === "string" ? undefined : draftOf(body, target.type);
    if (typeof target === "string" || draft === undefined) {
      if (isCheck) return reply.code(422).send({ error: texts.notOurs });
      return send(reply.code(422), problemPage(texts.newWorkflow, texts.notOurs, signed.session.user));
    }
    const editing = { request, reply, signed, target, workflow: undefined };
    return isCheck ? reply.send(await desk.check(editing, draft)) : desk.take(editing, draft);
  };
  const options = { bodyLimit: largestEditBytes };
  server.post(path, options, (request, reply) => take(request, reply, false));
  server.post(`${path}/check`, options, (request, reply) => take(request, reply, true));
}

/** @returns what is wrong with it, in words */
function targetOf({
  type,
  namespace = "",
  name = "",
}: Readonly<Record<string, string | undefined>>): EditTarget | string {
  const known = workflowTypes.find((one): one is WorkflowType => one === type);
  if (known === undefined) return texts.newTypeMissing;
  if (!objectName.test(namespace) || namespace.length > 63) return texts.newNamespaceWrong;
  if (!objectName.test(name) || name.length > maxNameLength) return texts.newNameWrong(maxNameLength);
  return { type: known, namespace, name, isNew: true };
}
