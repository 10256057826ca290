/** Workers of type Egress as processes, between a real SFTP server and the sandbox's Dataverse. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { type SchemaNode, withDefaults } from "../../../src/api/defaults.ts";
import type { MappingStatus, WorkflowSpec } from "../../../src/api/integration-workflow.ts";
import { egress as schema } from "../../../src/api/schema/egress.ts";
import { type SftpServer, startSftpServer } from "../sftp/sshd.ts";
import { Ground, type WorkerProcess } from "./harness.ts";

// A schema's defaults are what its type says.
export const { activities: names } = withDefaults(schema as SchemaNode, {}) as NonNullable<WorkflowSpec["egress"]>;
export const since = "2026-07-01T00:00:00Z";
export const header =
  "deliveryLogId,contactId,eventDate,status,failureType,campaignId,campaignName,deliveryId,deliveryName,mirrorPageUrl\n";

export function line(id: number, contact: string | undefined, status = "Sent,"): string {
  return `${id},${contact ?? ""},2026-07-15 10:00:00,${status},CMP12,2026LoyaltyCamp,DM190,"Spring, again",https://t.example/m\n`;
}

export function poll<T>(look: () => Promise<T> | T, timeout = 30_000) {
  return expect.poll(look, { timeout, interval: 100 });
}

export class EgressGround {
  readonly server: SftpServer;
  readonly ground: Ground;
  readonly contacts: readonly string[];
  /** What workers connect to; it leads to the server, or to another one. */
  readonly #door: Door;

  private constructor(server: SftpServer, ground: Ground, contacts: readonly string[], door: Door) {
    this.server = server;
    this.ground = ground;
    this.contacts = contacts;
    this.#door = door;
  }

  static async make(): Promise<EgressGround> {
    const server = await startSftpServer();
    mkdirSync(join(server.home, "exports"));
    const ground = await Ground.make({ contacts: 50 });
    const contacts: string[] = [];
    for await (const { id } of ground.sandbox.control.rows({ table: "contact" })) contacts.push(id);
    return new EgressGround(server, ground, contacts, await Door.open(server.port));
  }

  async end(): Promise<void> {
    await this.ground.end();
    await this.#door.close();
    await this.server.stop();
  }

  start(egress: object = { since }, sftp: object = {}): WorkerProcess {
    const { server, ground } = this;
    return ground.startEgress(
      {
        host: "127.0.0.1",
        port: this.#door.port,
        username: server.username,
        path: "exports",
        hostKey: server.hostKey,
        credentialsSecretRef: { name: "campaign-sftp" },
        format: { timeZone: "Europe/Paris", delimiter: ",", encoding: "utf-8", dateFormat: "yyyy-MM-dd HH:mm:ss" },
        ...sftp,
      },
      server.privateKey,
      egress,
      { flags: ["--still-seconds", "0.5"] },
    );
  }

  path(name: string): string {
    return join(this.server.home, "exports", name);
  }

  put(name: string, content: string | Buffer): void {
    writeFileSync(this.path(name), content);
  }

  async count(table: string): Promise<number> {
    let rows = 0;
    for await (const _ of this.ground.sandbox.control.rows({ table })) rows += 1;
    return rows;
  }

  /** Connections break; from now on they lead to this port. */
  leadTo(port: number): void {
    this.#door.leadTo(port);
  }

  /** The Secret's only key, mounted anew. */
  mount(key: "privateKey" | "password", value: string): void {
    const folder = join(this.ground.directory, "credentials", "sftp");
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeFileSync(join(folder, key), value);
  }
}

export async function mappingOf(worker: WorkerProcess, name: string): Promise<MappingStatus | undefined> {
  return (await worker.status()).mappings.find((mapping) => mapping.name === name);
}

class Door {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((near) => {
      const far = connect(this.#target, "127.0.0.1");
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => {}); // What ends one side ends the other, below.
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  static async open(target: number): Promise<Door> {
    const door = new Door(target);
    await new Promise<void>((resolve) => door.#server.listen(0, "127.0.0.1", resolve));
    return door;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  leadTo(target: number): void {
    this.#target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.leadTo(0);
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
