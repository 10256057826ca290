/** What becomes of a draft, of a workflow that is there or of one that is to be made: shown, checked, reviewed, saved. */

import type { FastifyReply, FastifyRequest } from "fastify";
import { apiGroup, plural } from "../api/group.ts";
import { isRecord } from "../api/json.ts";
import { keyOf } from "../kubernetes/objects.ts";
import { foreignFields } from "../steering/foreign-fields.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import { workflows } from "../steering/workflow.ts";
import { type Attempt, attempt, attemptToMake, changesOf } from "./edit/attempt.ts";
import type { Checked } from "./edit/checked.ts";
import { type Draft, newDraft, whatIsSaid } from "./edit/draft.ts";
import { textOf } from "./edit/form-values.ts";
import type { Problem } from "./edit/problems.ts";
import { rebase } from "./edit/rebase.ts";
import { afterDeed } from "./edit/rows.ts";
import { yamlOf } from "./edit/yaml.ts";
import { type FormHelp, formHelp, sentHelp } from "./metadata/form-help.ts";
import { wantedBy } from "./metadata/mapped.ts";
import { imageOf, isForProbe, makeProbe } from "./metadata/probe.ts";
import { Reach } from "./metadata/reach.ts";
import { metadataTexts } from "./metadata-texts.ts";
import { actionOf, type EditTarget, editPage, meanwhilePage, placeOf, reviewPage } from "./pages/edit.ts";
import { formPart } from "./pages/edit-form.ts";
import { may } from "./person.ts";
import { maySwitch } from "./rights.ts";
import type { SignedIn } from "./sign-in/signed-in.ts";
import { texts } from "./texts.ts";
import { overruledBy, type WorkflowRoutesParts } from "./workflow-routes.ts";

export interface EditParts extends WorkflowRoutesParts {
  readonly workerImage: string | undefined;
}

export interface Editing {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly signed: SignedIn;
  readonly target: EditTarget;
  /** Absent: it is to be made. */
  readonly workflow: LiveWorkflow | undefined;
}

interface Showing {
  readonly problems?: readonly Problem[];
  /** What was done, in words. */
  readonly said?: string;
  /** The path of what was just added, taken away or switched. */
  readonly at?: string | undefined;
  /** The Job that was just made to ask both systems. */
  readonly made?: string;
}

export class EditDesk {
  readonly #parts: EditParts;
  readonly #reach: Reach;

  constructor(parts: EditParts) {
    this.#parts = parts;
    this.#reach = new Reach(() => parts.clock.now());
  }

  async show(editing: Editing, draft: Draft, { problems = [], said, at, made }: Showing = {}): Promise<FastifyReply> {
    const { reply } = editing;
    const [mayEdit, help] = await Promise.all([
      this.#mayEdit(editing),
      draft.view === "form" ? this.#help(editing, draft, made) : undefined,
    ]);
    if (problems.length > 0) reply.code(422);
    return this.#parts.send(reply, editPage({ ...frameOf(editing), draft, problems, mayEdit, said, at, help }));
  }

  /** Does what a button of the form says. */
  async take(editing: Editing, draft: Draft): Promise<FastifyReply> {
    const deed = deedOf(editing.request.body);
    if (draft.problems.length > 0) return this.show(editing, draft, { problems: draft.problems });
    if (deed === "save" || deed === "review") return this.#reviewOrSave(editing, draft, deed === "save");
    if (deed === "check") {
      const tried = await tryOut(editing, draft);
      if (tried.outcome === "Meanwhile") return this.#meanwhile(editing, draft);
      return tried.outcome === "Refused"
        ? this.show(editing, draft, { problems: tried.problems })
        : this.show(editing, draft, { said: texts.fine });
    }
    if (deed === "probe") return this.#probe(editing, draft);
    if (deed === "view-form" || deed === "view-yaml") {
      return this.show(editing, { ...draft, view: deed === "view-form" ? "form" : "yaml" });
    }
    const said = afterDeed(draft.said, deed, new Date(this.#parts.now()).toISOString());
    const [, at] = deed.split(":", 2);
    const next = said === undefined ? draft : { ...draft, said, yaml: yamlOf(said) };
    return (await this.#part(editing, next, at)) ?? this.show(editing, next, { at });
  }

  /** For a form that is open: what a row that was added or taken away changes, and no more. */
  async #part(editing: Editing, draft: Draft, at: string | undefined): Promise<FastifyReply | undefined> {
    const { request, reply, target } = editing;
    if (!isRecord(request.body) || textOf(request.body, "part") !== "true" || draft.view !== "form") return undefined;
    const help = await this.#help(editing, draft);
    const action = actionOf(target);
    const part = formPart({ said: draft.said, type: target.type, problems: [], action, at, help });
    return part && this.#parts.send(reply, part);
  }

  /** For a form that is open. */
  async check(editing: Editing, draft: Draft): Promise<Checked> {
    const [tried, help] = await Promise.all([
      draft.problems.length > 0 ? ({ outcome: "Refused", problems: draft.problems } as const) : tryOut(editing, draft),
      draft.view === "form" ? this.#help(editing, draft) : undefined,
    ]);
    const problems = tried.outcome === "Refused" ? tried.problems : [];
    const { seen, have } = shownOf(editing.request.body);
    return {
      problems,
      isMeanwhile: tried.outcome === "Meanwhile",
      isSoon: help?.isSoon === true,
      help: help && sentHelp(help, seen, have),
    };
  }

  #mayEdit({ signed, target, workflow }: Editing): Promise<boolean> {
    const { namespace } = target;
    if (workflow !== undefined) return maySwitch(signed, namespace);
    return may(signed.person, { namespace, verb: "create", group: apiGroup, resource: plural });
  }

  async #help({ signed, target }: Editing, { said }: Draft, made?: string): Promise<FormHelp> {
    const { person } = signed;
    const { namespace, type } = target;
    const reached = await this.#reach.ask(person.reader, target, said, wantedBy(said, type), made);
    return formHelp(reached, said, type, async () => {
      const mayMake = await may(person, { namespace, verb: "create", group: "batch", resource: "jobs" });
      return {
        image: imageOf(said, this.#parts.workerImage),
        disabledBecause: mayMake ? undefined : metadataTexts.mayNotProbe(namespace),
      };
    });
  }

  /** Nothing of the edit is saved; a pod is made that asks the systems which it names. */
  async #probe(editing: Editing, draft: Draft): Promise<FastifyReply> {
    const { signed, target } = editing;
    const { namespace, name } = target;
    const { said } = draft;
    const tried = await tryOut(editing, draft);
    const problems = tried.outcome === "Refused" ? tried.problems.filter(({ path }) => isForProbe(path)) : [];
    const image = imageOf(said, this.#parts.workerImage);
    if (problems.length > 0 || image === undefined) return this.show(editing, draft, { problems });
    const made = await makeProbe(signed.person.editor, { namespace, name, said, image });
    this.#parts.logger.info("metadata-job.made", { workflow: keyOf(target), job: made, user: signed.session.user });
    return this.show(editing, draft, { said: metadataTexts.probeMade(made), made });
  }

  async #reviewOrSave(editing: Editing, draft: Draft, isSave: boolean): Promise<FastifyReply> {
    const { request, reply, signed, target, workflow } = editing;
    const { send, logger } = this.#parts;
    const tried = await tryOut(editing, draft);
    if (tried.outcome === "Meanwhile") return this.#meanwhile(editing, draft);
    if (tried.outcome === "Refused") return this.show(editing, draft, { problems: tried.problems });
    if (tried.changes.length === 0) return this.show(editing, draft, { said: texts.nothingChanged });
    const foreign = workflow === undefined ? [] : foreignFields(workflow, tried.changes);
    const overruled = overruledBy(request.body);
    const isAgreed = foreign.every(({ manager }) => overruled.includes(manager));
    if (!isSave || !isAgreed) {
      const problem = isSave ? texts.overruleMissing : undefined;
      if (isSave) reply.code(409);
      return send(reply, reviewPage({ ...frameOf(editing), draft, changes: tried.changes, foreign, problem }));
    }
    const saved = await tryOut(editing, draft, { dryRun: false });
    if (saved.outcome === "Meanwhile") return this.#meanwhile(editing, draft);
    if (saved.outcome === "Refused") return this.show(editing, draft, { problems: saved.problems });
    const key = keyOf(target);
    const { user } = signed.session;
    if (workflow === undefined) logger.info("workflow.made", { workflow: key, user });
    else logger.info("workflow.edited", { workflow: key, user, fields: saved.changes.map(({ path }) => path) });
    return reply.redirect(`${placeOf(target)}?said=${workflow === undefined ? "make" : "edit"}`, 303);
  }

  async #meanwhile(editing: Editing, draft: Draft): Promise<FastifyReply> {
    const { reply, signed, target } = editing;
    const { namespace, name } = target;
    const workflow = await signed.person.reader.get(workflows, { namespace, name });
    const now = whatIsSaid(workflow.spec);
    const { spec, collisions } = rebase(draft.base, draft.said, now);
    const view = meanwhilePage({
      ...frameOf(editing),
      draft: { ...newDraft(workflow, draft.view, spec) },
      theirs: changesOf(draft.base, now),
      mine: changesOf(draft.base, draft.said),
      collisions,
    });
    return this.#parts.send(reply.code(409), view);
  }
}

function tryOut({ signed, target, workflow }: Editing, draft: Draft, options = { dryRun: true }): Promise<Attempt> {
  const { editor } = signed.person;
  if (workflow === undefined) return attemptToMake(editor, target, draft, options);
  return attempt(editor, workflow, draft, options);
}

function frameOf({ signed, target }: Editing) {
  return { user: signed.session.user, canSignOut: signed.canSignOut, target };
}

/** What a form that is open says of the help that it shows. */
function shownOf(body: unknown): { readonly seen: string; readonly have: ReadonlySet<string> } {
  if (!isRecord(body)) return { seen: "", have: new Set() };
  return { seen: textOf(body, "seen") ?? "", have: new Set([body["have"] ?? []].flat().map(String)) };
}

function deedOf(body: unknown): string {
  return isRecord(body) && typeof body["do"] === "string" ? body["do"] : "review";
}
