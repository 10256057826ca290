/** One engine between the two systems in memory, whose calls all succeed unless a test stands between. */
import type { Logger } from "../../../../src/telemetry/log.ts";
import type { Campaign } from "../../../../src/worker/campaign/interface.ts";
import type { Dataverse } from "../../../../src/worker/dataverse/interface.ts";
import type { IngressEngine } from "../../../../src/worker/engine/engine.ts";
import type { EngineSettings } from "../../../../src/worker/engine/settings.ts";
import { EngineLives } from "./engine-lives.ts";
import { mapping } from "./simulation.ts";
import { SourceWorld, TargetWorld } from "./worlds.ts";

export interface EngineGroundOptions {
  readonly settings?: Partial<EngineSettings>;
  readonly logger?: Logger;
  /** Stands between the engine and Dataverse. */
  readonly dataverse?: (dataverse: Dataverse) => Dataverse;
  /** Stands between the engine and Campaign. */
  readonly campaign?: (campaign: Campaign) => Campaign;
}

export class EngineGround {
  readonly #lives = new EngineLives();
  readonly clock = this.#lives.clock;
  readonly source = new SourceWorld(() => ({ fate: "Done", delayMs: 0 }), this.clock);
  readonly target = new TargetWorld(() => ({ fate: "Done", delayMs: 10 }), this.clock, 0);

  private constructor() {}

  static async make(contacts: number, options: EngineGroundOptions = {}): Promise<EngineGround> {
    const ground = new EngineGround();
    for (let n = 0; n < contacts; n++) ground.source.put(idOf(n), `Contact ${n}`);
    const { campaign = (client) => client, dataverse = (client) => client, ...rest } = options;
    await ground.#lives.start({
      mappings: [mapping],
      dataverse: dataverse(ground.source.client()),
      campaign: campaign(ground.target.client()),
      ...rest,
    });
    return ground;
  }

  get engine(): IngressEngine {
    return this.#lives.engine;
  }

  async counts(): Promise<{ pending: number; dead: number }> {
    return (await this.#lives.queue.counts()).get("contact") ?? { pending: 0, dead: 0 };
  }

  /** Everything is written or refused. */
  async settled(deadlineMs = 600_000): Promise<void> {
    const isIdle = async () => {
      const [mappingStatus] = (await this.engine.status()).mappings;
      return mappingStatus?.phase === "Incremental" && (await this.counts()).pending === 0;
    };
    await this.clock.until(isIdle, deadlineMs);
  }

  /** What Campaign has. */
  nameOf(n: number): unknown {
    return this.target.with(idOf(n))[0]?.["name"];
  }

  async end(): Promise<void> {
    await this.#lives.stop();
    await this.#lives.end();
  }
}

export function idOf(n: number): string {
  return `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`;
}
