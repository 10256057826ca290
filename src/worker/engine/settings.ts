/** The engine's figures, in one place so that tests can run it faster. */
export interface EngineSettings {
  /** Between two questions for changes, of one mapping. */
  readonly pollIntervalMs: number;
  /** Rows a page, at most 5000. */
  readonly pageSize: number;
  /** Waiting records of one mapping above which reading a table pauses and changes are queued by key alone. */
  readonly highWaterRecords: number;
  /** ... and below which it goes on. */
  readonly lowWaterRecords: number;
  /** Waiting records of one mapping above which its table is not read further before the records that these need. */
  readonly mostParkedRecords: number;
  /** Records in the writer's hands at once. */
  readonly parallelism: number;
  /** A call's timeout and one minute: when a call that was not answered can no longer land. */
  readonly leaseMs: number;
  /** How recently both systems must have answered for the worker to be ready. */
  readonly readyWindowMs: number;
  /** How often a mapping that cannot run is looked at again. */
  readonly lookAgainMs: number;
  /** How often the metadata of a mapping that runs is compared with what it was fitted to. */
  readonly checkIntervalMs: number;
  /** How long such a comparison counts when a record is refused; at most one is made in this time. */
  readonly freshCheckMs: number;
  /** Refusals in a row with one cause that suspend a mapping. */
  readonly waveRefusals: number;
  /** Between two tries to store something when the store has no room. */
  readonly fullStorePauseMs: number;
  /** Equal 500s of Campaign's engine that bury a record, when others were written in between. */
  readonly stubbornRefusals: number;
  /** ... or over this time, when nothing was written and Campaign answered everything else. */
  readonly stubbornForMs: number;
  /** A share of what was written, above which deletions that Dataverse did not tell wait for a person ... */
  readonly inferredDeletionsShare: number;
  /** ... but never fewer than this. */
  readonly inferredDeletionsFloor: number;
}

export interface SettingsInput {
  readonly engineCallsPerSecond: number;
  readonly sharePercent: number;
  readonly mappings: number;
  readonly callTimeoutSeconds: number;
}

/** Dataverse grants 6000 calls in 300 s (api-limits.md): asking for changes may take up to a fifth of them. */
const pollsPerSecond = 4;

export function engineSettings(input: SettingsInput): EngineSettings {
  const { engineCallsPerSecond, sharePercent, mappings, callTimeoutSeconds } = input;
  return {
    pollIntervalMs: Math.max(3000, (mappings * 1000 * 100) / (pollsPerSecond * sharePercent)),
    pageSize: 5000,
    highWaterRecords: 100_000,
    lowWaterRecords: 50_000,
    // With another page, as many as the store keeps with their contents when all of them are parked.
    mostParkedRecords: 45_000,
    // Enough for answers of a second and a half; not so many that a call waits long for its leave.
    parallelism: Math.min(64, Math.max(4, Math.ceil(engineCallsPerSecond * 1.5))),
    leaseMs: (callTimeoutSeconds + 60) * 1000,
    readyWindowMs: 60_000,
    lookAgainMs: 60_000,
    // A comparison costs one call to Campaign: all of them together take a twentieth of its calls at most.
    checkIntervalMs: Math.max(60_000, (mappings * 20_000) / engineCallsPerSecond),
    // ... and a fifth of them at most where every mapping has refusals all the time.
    freshCheckMs: Math.max(5000, (Math.max(4, mappings) * 5000) / engineCallsPerSecond),
    waveRefusals: 20,
    fullStorePauseMs: 5000,
    stubbornRefusals: 5,
    stubbornForMs: 86_400_000,
    inferredDeletionsShare: 0.05,
    inferredDeletionsFloor: 100,
  };
}

/** How many inferred deletions are let go without asking. */
export function inferredLimit(settings: EngineSettings, writtenRecords: number): number {
  return Math.max(settings.inferredDeletionsFloor, Math.floor(writtenRecords * settings.inferredDeletionsShare));
}
