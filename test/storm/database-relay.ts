/** A TCP relay between workers and their database, which fails as networks do. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Of what changes the store: statements of one transaction each, and the ends of longer ones. */
const decisive = /take_turns|COMMIT/;

/**
 * Where a transaction is cut: before the statement that ends it arrives, so that nothing of it happens; or before its answer
 * does, so that all of it happened and nobody knows.
 */
export type Cut = "BeforeEnd" | "BeforeAnswer";

/** A connection: what comes from one end goes to the other, in order. */
class Line {
  readonly #relay: DatabaseRelay;
  readonly #near: Socket;
  readonly #far: Socket;
  #isDoomed = false;

  constructor(relay: DatabaseRelay, near: Socket, far: Socket) {
    this.#relay = relay;
    this.#near = near;
    this.#far = far;
    this.#pass(near, far, (data) => this.#isEndedBy(data));
    this.#pass(far, near, () => this.#isDoomed);
  }

  cut(): void {
    this.#near.resetAndDestroy();
    this.#far.destroy();
  }

  #pass(from: Socket, to: Socket, isCutBy: (data: Buffer) => boolean): void {
    let last = Promise.resolve();
    const next = (work: () => void) => {
      last = last.then(() => this.#relay.held()).then(work);
    };
    from.on("error", () => {}); // It closes then.
    from.on("data", (data: Buffer) =>
      next(() => {
        if (isCutBy(data)) this.cut();
        else to.write(data);
      }),
    );
    from.on("close", () => next(() => to.destroySoon()));
  }

  /** @returns whether the connection ends before this is passed on */
  #isEndedBy(data: Buffer): boolean {
    if (!decisive.test(data.toString("latin1"))) return false;
    const cut = this.#relay.takeCut();
    this.#isDoomed ||= cut === "BeforeAnswer";
    return cut === "BeforeEnd";
  }
}

export class DatabaseRelay {
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  readonly #cuts: Cut[] = [];
  /** What is under way goes on when this is over. */
  #standstill: PromiseWithResolvers<void> | undefined;
  #delayMs = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param socket where the database listens */
  static async start(socket: string): Promise<DatabaseRelay> {
    const server = createServer((near) => {
      const far = connect(socket);
      const line = new Line(relay, near, far);
      relay.#lines.add(line);
      near.on("close", () => relay.#lines.delete(line));
    });
    const relay = new DatabaseRelay(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // A TCP server's address is no string.
  }

  /** Ends those connections that are chosen. */
  cut(chooses: () => boolean): void {
    for (const line of [...this.#lines].filter(chooses)) line.cut();
  }

  /** The next transaction of whichever process is cut. */
  cutTransaction(cut: Cut): void {
    this.#cuts.push(cut);
  }

  takeCut(): Cut | undefined {
    return this.#cuts.shift();
  }

  /** Nothing is passed on until it goes on, and nobody is told. */
  standStill(): void {
    this.#standstill ??= Promise.withResolvers();
  }

  goOn(): void {
    this.#standstill?.resolve();
    this.#standstill = undefined;
  }

  /** Everything takes so much longer, each way. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Until what came may be passed on. */
  async held(): Promise<void> {
    if (this.#delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#delayMs));
    await this.#standstill?.promise;
  }

  async end(): Promise<void> {
    this.cut(() => true);
    this.goOn();
    this.#server.close();
    await once(this.#server, "close");
  }
}
