/** Where Campaign puts its exports: a real SSH server behind a relay, and a folder of its. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { type Relay, startRelay } from "../../integration/sftp/relay.ts";
import { type SftpServer, startSftpServer } from "../../integration/sftp/sshd.ts";
import type { Course } from "../course.ts";
import { type Ground, longestHoldMs } from "../ground.ts";
import type { Happening } from "../happenings.ts";
import { Folder } from "./folder.ts";

type Sftp = NonNullable<WorkflowSpec["campaign"]["sftp"]>;

const folderName = "exports";
/** Files stand still for so long before they are read. */
export const stillSeconds = 0.3;
/** What the worker reads at once. */
const chunkBytes = 256 * 1024;

export class ExportsPlace {
  readonly relay: Relay;
  readonly #server: SftpServer;

  private constructor(server: SftpServer, relay: Relay) {
    this.#server = server;
    this.relay = relay;
  }

  static async make(): Promise<ExportsPlace> {
    const server = await startSftpServer();
    return new ExportsPlace(server, await startRelay(server.port));
  }

  /** Makes the folder, and lets the ground's workers sign in. */
  furnish<M>(ground: Ground, nowMs: () => number): Folder<M> {
    const { home, privateKey } = this.#server;
    const [path, workshop] = [join(home, folderName), join(home, "workshop")];
    for (const directory of [path, workshop]) mkdirSync(directory);
    ground.secret("sftp", { privateKey });
    return new Folder<M>(path, workshop, nowMs);
  }

  /** `campaign.sftp` of a workflow that reads from here. */
  sftp({ timeZone, delimiter, encoding, dateFormat }: Sftp["format"]): Sftp {
    const { username, hostKey } = this.#server;
    return {
      host: "127.0.0.1",
      port: this.relay.port,
      username,
      path: folderName,
      hostKey,
      credentialsSecretRef: { name: "campaign-sftp" },
      format: { timeZone, delimiter, encoding, dateFormat },
    };
  }

  /** Nothing stands in the way any more. */
  calm(): void {
    this.relay.letGo();
    this.relay.cutAfter(Number.POSITIVE_INFINITY);
  }

  async restart(afterMs: number): Promise<void> {
    await this.#server.restart(afterMs);
  }

  async end(): Promise<void> {
    await this.relay.close();
    await this.#server.stop();
  }
}

interface AtPlace {
  readonly place: ExportsPlace;
  readonly course: Course;
}

/** What may happen between the worker and the server. */
export const sftpHappenings: readonly Happening<AtPlace & Pick<Course, "chance">>[] = [
  {
    name: "the connection to the SFTP server breaks after some bytes",
    weight: 4,
    happen: ({ place, chance }) => place.relay.cutAfter(chance.count(chance.random() < 0.5 ? 4000 : 2 * chunkBytes)),
  },
  {
    name: "the SFTP server does not answer for a while",
    weight: 2,
    happen: ({ place, course, chance }) => {
      place.relay.freeze();
      course.later(chance.random() * longestHoldMs, async () => place.relay.thaw());
    },
  },
  { name: "the SFTP server is restarted", weight: 2, happen: restart },
];

function restart({ place, course, chance }: AtPlace & Pick<Course, "chance">): void {
  if (course.spells.has(restart)) return;
  course.spells.add(restart);
  course.later(0, async () => {
    await place.restart(chance.random() * 1000);
    course.spells.delete(restart);
  });
}
