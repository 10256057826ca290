/** What one side has answered so far. */
export interface TrafficCounters {
  readonly requests: number;
  /** Rows carried by reads. */
  readonly rowsRead: number;
  readonly inFlight: number;
  readonly highestInFlight: number;
  readonly faultsInjected: number;
  /** `GET contacts tracked` → status → how many. Status 0: no answer left the sandbox. */
  readonly byEndpoint: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Counts one side's traffic. */
export class Traffic {
  #requests = 0;
  #rowsRead = 0;
  #inFlight = 0;
  #highestInFlight = 0;
  #faults = 0;
  readonly #byEndpoint = new Map<string, Map<number, number>>();

  begin(): void {
    this.#requests += 1;
    this.#inFlight += 1;
    this.#highestInFlight = Math.max(this.#highestInFlight, this.#inFlight);
  }

  end(method: string, endpoint: string, status: number, rows: number, faulty: boolean): void {
    this.#inFlight -= 1;
    this.#rowsRead += rows;
    if (faulty) this.#faults += 1;
    const name = `${method} ${endpoint}`;
    const statuses = this.#byEndpoint.get(name) ?? new Map<number, number>();
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    this.#byEndpoint.set(name, statuses);
  }

  /** Starts counting anew; what is in flight stays counted as such. */
  reset(): void {
    this.#requests = 0;
    this.#rowsRead = 0;
    this.#faults = 0;
    this.#highestInFlight = this.#inFlight;
    this.#byEndpoint.clear();
  }

  read(): TrafficCounters {
    return {
      requests: this.#requests,
      rowsRead: this.#rowsRead,
      inFlight: this.#inFlight,
      highestInFlight: this.#highestInFlight,
      faultsInjected: this.#faults,
      byEndpoint: Object.fromEntries(
        [...this.#byEndpoint].map(([name, statuses]) => [name, Object.fromEntries(statuses)]),
      ),
    };
  }
}
