/** Where a server listens. `host` absent: every address of the machine. */
export interface ListenAddress {
  host?: string;
  port: number;
}

/**
 * Reads `:8080`, `127.0.0.1:8080`, `[::1]:8080`; `0` means that the server is off.
 * @throws RangeError that names the accepted forms
 */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text === "0") return undefined;
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new RangeError(
      `"${text}" is not an address to listen on: write :8080, 127.0.0.1:8080, [::1]:8080, or 0 for none`,
    );
  }
  const host = match[1] ?? match[2];
  return host === undefined || host === "" ? { port } : { host, port };
}

const listenFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there: end it, or give another address",
  EADDRNOTAVAIL: "this machine has no such address: give one that it has, or the port alone",
  EACCES: "ports below 1024 need a right that this process lacks: give a higher one",
  ENOTFOUND: "the name is not known: give an IP address, or the port alone",
};

/** Why an address cannot be listened on, with the way out; undefined for every other error. */
export function listenFailure(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  if (error.syscall !== "listen" && error.syscall !== "getaddrinfo") return undefined;
  const { address, hostname, port } = error as { address?: unknown; hostname?: unknown; port?: unknown };
  const place = [address ?? hostname, port].filter((part) => part !== undefined).join(" port ");
  const why = listenFailures[String(error.code)];
  return why === undefined ? undefined : `cannot listen on ${place}: ${why} (--help names the flags)`;
}
