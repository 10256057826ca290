/** Editing a workflow that is there: a form or text, checked by the API server, shown as changes, and saved if nobody else was quicker. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { effectiveSpec } from "../api/configuration.ts";
import { sameJson } from "../api/json.ts";
import { RevisionError, revisionSpec } from "../steering/revisions.ts";
import { type LiveWorkflow, workflows } from "../steering/workflow.ts";
import { draftOf, newDraft, type Said, type View } from "./edit/draft.ts";
import type { EditDesk, Editing, EditParts } from "./edit-desk.ts";
import { problemPage } from "./pages/problem.ts";
import type { SignedIn } from "./sign-in/signed-in.ts";
import { texts } from "./texts.ts";
import type { Place } from "./workflow-routes.ts";

/** A form of thousands of fields, each with its path, and what was read beside it. */
export const largestEditBytes = 8 * 1024 * 1024;

export function addEditRoutes(server: FastifyInstance, { who, send }: EditParts, desk: EditDesk): void {
  type Query = { readonly from?: string; readonly view?: string };
  type Ask = FastifyRequest<{ Params: Place }>;

  const editingOf = async (request: Ask, reply: FastifyReply): Promise<Editing & { workflow: LiveWorkflow }> => {
    const signed = await who(request, reply);
    const { namespace, name } = request.params;
    const workflow = await signed.person.reader.get(workflows, { namespace, name });
    const target = { namespace, name, type: workflow.spec.type, isNew: false };
    return { request, reply, signed, target, workflow };
  };

  server.get<{ Params: Place; Querystring: Query }>("/workflows/:namespace/:name/edit", async (request, reply) => {
    const editing = await editingOf(request, reply);
    const { signed, workflow } = editing;
    const view: View = request.query.view === "yaml" ? "yaml" : "form";
    const { from } = request.query;
    if (from === undefined) return desk.show(editing, newDraft(workflow, view));
    const earlier = await earlierSaid(signed, workflow, from);
    if (earlier instanceof RevisionError) {
      return send(reply.code(404), problemPage(texts.goBack, earlier.message, signed.session.user));
    }
    return desk.show(editing, newDraft(workflow, view, earlier), { said: texts.backToRevision(from) });
  });

  const options = { bodyLimit: largestEditBytes };
  server.post<{ Params: Place }>("/workflows/:namespace/:name/edit", options, async (request, reply) => {
    const editing = await editingOf(request, reply);
    const { signed, target } = editing;
    const draft = draftOf(request.body, target.type);
    if (draft !== undefined) return desk.take(editing, draft);
    return send(reply.code(422), problemPage(texts.editTitle(target.name), texts.notOurs, signed.session.user));
  });

  server.post<{ Params: Place }>("/workflows/:namespace/:name/edit/check", options, async (request, reply) => {
    const editing = await editingOf(request, reply);
    const draft = draftOf(request.body, editing.target.type);
    if (draft === undefined) return reply.code(422).send({ error: texts.notOurs });
    return reply.send(await desk.check(editing, draft));
  });
}

async function earlierSaid(signed: SignedIn, workflow: LiveWorkflow, name: string): Promise<Said | RevisionError> {
  try {
    const { revisionHistoryLimit, queue } = workflow.spec;
    const earlier = await revisionSpec(signed.person.reader, workflow, name);
    // A pin names the volume that a spec need not name.
    const isSameQueue = sameJson(effectiveSpec(workflow.spec).queue, earlier.queue);
    return { ...earlier, ...(isSameQueue ? { queue } : {}), revisionHistoryLimit };
  } catch (error) {
    if (error instanceof RevisionError) return error;
    throw error;
  }
}
