/** Time as the worker's clients see it: injected, so that tests need not wait. */
export interface Clock {
  /** Milliseconds that only grow. Their zero means nothing; wall clocks jump, this does not. */
  now(): number;
  /** Calls back once after `delayMs`. @returns what takes the call back */
  schedule(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
