/** Time as an argument, so that tests need not wait. Durations are measured on this side only: it never jumps. */
export interface Clock {
  /** Milliseconds that only grow. Their zero means nothing. */
  now(): number;
  /** Calls back once after `delayMs`, however long. @returns what takes the call back */
  schedule(delayMs: number, callback: () => void): () => void;
}

/** A clock that also knows the date: for what other machines read, never for durations. */
export interface DatedClock extends Clock {
  date(): Date;
}

/** Node's timers hold 31 bits, 24.8 days; a longer one fires at once. A service may ask for more. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: DatedClock = {
  now: () => performance.now(),
  date: () => new Date(),
  schedule: (delayMs, callback) => {
    let leftMs = delayMs;
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const stepMs = Math.min(leftMs, longestTimerMs);
      leftMs -= stepMs;
      timer = setTimeout(leftMs > 0 ? wait : callback, stepMs);
    };
    wait();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when the signal aborts: the caller looks at the signal. Never rejects. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || delayMs <= 0) return resolve();
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.schedule(delayMs, end);
    signal.addEventListener("abort", end, { once: true });
  });
}
