/**
 * A signal that aborts when the process is asked to end (SIGTERM or SIGINT).
 * The second signal is left to Node's default, so a person at a terminal can always get out.
 */
export function shutdownSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => controller.abort(new Error(`received ${name}`)));
  }
  return controller.signal;
}
