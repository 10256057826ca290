/** Edits in words. */
import { changedBy } from "../steering/changed-by.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import type { Cluster } from "./cluster.ts";
import type { Context } from "./context.ts";
import { widthOf } from "./output.ts";
import { paragraph } from "./table.ts";
import { plain } from "./words.ts";

interface Change {
  readonly path: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The field, then what it was and what it becomes, and who made it so. */
export function changeText(context: Pick<Context, "out">, { path, from, to }: Change, who?: string): string {
  const by = who === undefined ? "" : `   (${plain(who)})`;
  const width = widthOf(context);
  return `${plain(path)}\n  ${paragraph(`${short(from)} -> ${short(to)}${by}`, width && width - 4, "  ")}`;
}

/** What a stop and start would change, who changed it and when; "" when nothing waits. @param limit how many at most */
export function pendingText(
  context: Pick<Context, "out"> & Pick<Cluster, "hint">,
  workflow: LiveWorkflow,
  limit?: number,
): string {
  const changes = workflow.status?.pendingChanges ?? [];
  const shown = changes.slice(0, limit);
  const all = workflow.status?.pendingChangeCount ?? changes.length;
  const left = all - shown.length;
  const where =
    limit === undefined ? "the status names the first only" : context.hint(`diff ${workflow.metadata.name}`);
  const texts = shown.map((change) => changeText(context, change, changedBy(workflow, change)));
  return texts.join("") + (left > 0 ? `and ${left} more: ${where}\n` : "");
}

function short(text: string | undefined): string {
  const said = plain(text ?? "(none)");
  return said.length > 60 ? `${said.slice(0, 59)}…` : said;
}
