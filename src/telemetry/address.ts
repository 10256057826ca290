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
