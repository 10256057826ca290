/** A PostgreSQL server for tests: the machine's own, else Debian's unpacked into the cache folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "../../../cluster/ports.ts";
import { runTool } from "../../../cluster/tool.ts";
import { debianPrograms } from "../../debian-programs.ts";

const password = "in-the-secret";
const startsWithinMs = 30_000;
/** PostgreSQL refuses to run as root. */
const nobody = { uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;
/** Whom files that a server is to read must belong to; undefined: whoever runs the test. */
export const serverUser = isRoot ? nobody : undefined;

/** By it PostgreSQL names its socket, also where it listens nowhere else. */
const socketPort = 5432;

/** Keeps what it is told through a crash (fsync is on), and lives in a temporary directory. */
export class PostgresServer {
  /** On loopback; a twin listens at its socket alone, and its port is of no use. */
  readonly port: number;
  readonly #programs: string;
  readonly #directory: string;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  private constructor(programs: string, directory: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#programs = programs;
    this.#directory = directory;
    this.#settings = settings;
    this.port = port;
  }

  /** Why there can be none here; undefined when there can. */
  static missing(): Promise<string | undefined> {
    return postgresPrograms().then(
      () => undefined,
      (error: Error) => `there is no PostgreSQL here: ${error.message}`,
    );
  }

  static async start(): Promise<PostgresServer> {
    const found = await postgresPrograms();
    const directory = mkdtempSync(join(tmpdir(), "postgres-"));
    if (isRoot) chownSync(directory, nobody.uid, nobody.gid);
    const programs = isRoot ? reachable(found, directory) : found;
    const passwordFile = join(directory, "password");
    writeFileSync(passwordFile, password);
    if (isRoot) chownSync(passwordFile, nobody.uid, nobody.gid);
    const server = new PostgresServer(programs, directory, await freePort(), { listen_addresses: "127.0.0.1" });
    const options = ["--username=admin", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"];
    await runTool([
      ...command(join(programs, "initdb")),
      ...options,
      `--pwfile=${passwordFile}`,
      `--pgdata=${server.#data}`,
    ]);
    await server.resume();
    return server;
  }

  /**
   * Another server with the data that this one has, which is to be halted meanwhile. It listens at its socket alone, so that
   * nobody takes its port while it is away.
   * @param directory the caller's, who removes it
   */
  async twin(directory: string, settings: Readonly<Record<string, string>>): Promise<PostgresServer> {
    if (isRoot) chownSync(directory, nobody.uid, nobody.gid);
    const server = new PostgresServer(this.#programs, directory, socketPort, { ...settings, listen_addresses: "" });
    await runTool(["cp", "-a", this.#data, server.#data]);
    await server.resume();
    return server;
  }

  /** Where it listens besides its port. */
  get socket(): string {
    return join(this.#directory, `.s.PGSQL.${this.port}`);
  }

  /** @param database made if it is not there */
  async database(database: string): Promise<string> {
    await this.admin(`CREATE DATABASE "${database}"`);
    return this.url(database);
  }

  url(database = "postgres", user = "admin", secret = password): string {
    return `postgres://${user}:${secret}@127.0.0.1:${this.port}/${database}?sslmode=disable`;
  }

  /** By way of what listens at another port and passes on. */
  urlAt(port: number): string {
    return `postgres://admin:${password}@127.0.0.1:${port}/postgres?sslmode=disable`;
  }

  get isRunning(): boolean {
    const { exitCode = 0, signalCode = null } = this.#process ?? {};
    return exitCode === null && signalCode === null;
  }

  /** Runs a statement on a connection of its own. */
  async admin(sql: string, database = "postgres"): Promise<Record<string, unknown>[]> {
    const client = new Client({ host: this.#directory, port: this.port, user: "admin", password, database });
    client.on("error", () => {}); // The server may be halted meanwhile; the statement says so.
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Starts it again on the same data. */
  async resume(): Promise<void> {
    const [program = "", ...before] = command(join(this.#programs, "postgres"));
    const settings = { ...this.#settings, unix_socket_directories: this.#directory, port: String(this.port) };
    const args = [
      ...["-D", this.#data],
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ];
    const child = spawn(program, [...before, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4000);
    });
    for (const until = Date.now() + startsWithinMs; ; await delay(50)) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`PostgreSQL does not start: ${log}`);
      const isUp = await this.admin("SELECT 1").then(
        () => true,
        () => false,
      );
      if (isUp) return;
    }
  }

  /** `SIGINT`: connections are cut, and it ends in order; `SIGQUIT`: at once, as in a crash. */
  async halt(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.isRunning) return;
    // Its first line is the server's process; what started it may be another one.
    const [pid = ""] = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n");
    const ended = once(child, "close");
    process.kill(Number(pid), signal);
    await ended;
  }

  async end(): Promise<void> {
    await this.halt("SIGQUIT");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Halts it where there is no time to wait. */
  abandon(): void {
    this.#process?.kill("SIGQUIT");
  }

  get #data(): string {
    return join(this.#directory, "data");
  }
}

async function postgresPrograms(): Promise<string> {
  const own = (process.env["PATH"] ?? "").split(delimiter).find((folder) => hasServer(folder));
  const found = own ?? newestServer("/");
  if (found !== undefined) return found;
  const version = "15"; // Debian 12's.
  const unpacked = newestServer(await debianPrograms([`postgresql-${version}`, "libpq5"]));
  if (unpacked === undefined) throw new Error("Debian's package of PostgreSQL has no server");
  return unpacked;
}

function newestServer(root: string): string | undefined {
  const parent = join(root, "usr/lib/postgresql");
  if (!existsSync(parent)) return undefined;
  const versions = readdirSync(parent).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(parent, version, "bin")).find((folder) => hasServer(folder));
}

function hasServer(folder: string): boolean {
  return existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres"));
}

/** Nobody may not look into root's cache folder. */
function reachable(programs: string, directory: string): string {
  const root = rootOf(programs);
  if (root === "") return programs;
  cpSync(root, join(directory, "root"), { recursive: true, verbatimSymlinks: true });
  return join(directory, "root", programs.slice(root.length));
}

/** What the packages were unpacked in; "" for the machine's own. */
function rootOf(program: string): string {
  return program.slice(0, program.lastIndexOf("/usr/"));
}

/** What is unpacked finds its libraries beside it. */
function command(program: string): string[] {
  const root = rootOf(program);
  const libraries = root === "" ? [] : globSync(`${root}/usr/lib/*-linux-*`);
  const withLibraries = libraries.length === 0 ? [] : ["env", `LD_LIBRARY_PATH=${libraries.join(":")}`];
  const asNobody = ["setpriv", `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, "--clear-groups"];
  return [...withLibraries, ...(isRoot ? asNobody : []), program];
}
