/** What is to be told of a folder of exported files. Pure. */
import type { MappingStatus } from "../../api/integration-workflow.ts";
import type { FileProgress, SeenFile } from "../flows/egress/files.ts";
import { isSame } from "../flows/egress/files.ts";
import type { RemoteFile } from "../sftp/interface.ts";

/** How many files stand how. A file is counted as it is now. */
export type FolderState = NonNullable<MappingStatus["files"]>;

/** What became of a file when it was last looked into, as it then was. */
export interface Outcome {
  readonly file: RemoteFile;
  readonly ending: Ending;
  /** Why it is not read, for a person. */
  readonly why?: string;
}

/**
 * `Done`: read to its end, or known already; `Changed`: it is not as it was listed, and comes again once it stands still;
 * `Waits`: its last line may be half of one; `Other` and `Incomplete`: as its header says, and nothing is read of it;
 * `Denied`: the server does not give this one away, and is asked again at the next round.
 */
export type Ending = "Done" | "Changed" | "Waits" | "Other" | "Incomplete" | "Denied";

/** Files that are named in the message. */
const mostNamed = 3;
const longestMessage = 1000;

export function folderState(
  seen: readonly SeenFile[],
  outcomes: ReadonlyMap<string, Outcome>,
  progress: ReadonlyMap<string, FileProgress>,
): FolderState {
  const counts = { read: 0, waiting: 0, incomplete: 0, denied: 0, other: 0 };
  const unread: string[] = [];
  let newestSeconds = 0;
  for (const file of seen) {
    const outcome = outcomes.get(file.name);
    const { ending, why } = outcome !== undefined && isSame(outcome.file, file) ? outcome : {};
    const before = progress.get(file.name);
    if (ending === "Other") counts.other += 1;
    else if (ending === "Incomplete") counts.incomplete += 1;
    else if (ending === "Denied") counts.denied += 1;
    else if (before?.done === true && isSame(before, file)) counts.read += 1;
    else counts.waiting += 1;
    if (ending === "Incomplete" || ending === "Denied") unread.push(`${file.name}: ${why}`);
    if (ending !== "Other") newestSeconds = Math.max(newestSeconds, file.modifiedSeconds);
  }
  const more = unread.length - mostNamed;
  const message = [...unread.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  return {
    ...counts,
    ...(newestSeconds === 0 ? {} : { newestTime: new Date(newestSeconds * 1000).toISOString() }),
    ...(message === "" ? {} : { message: message.slice(0, longestMessage) }),
  };
}
