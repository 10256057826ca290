import { afterAll, beforeAll, beforeEach } from "vitest";
import { PostgresServer } from "./server.ts";

/**
 * A server for a file's tests, which are left out where there can be none.
 * @param take is given it before the file's own hooks run
 * @param alsoMissing what else the tests cannot do without
 * @returns makes a database that nobody has used, and tells its name
 */
export async function serverForFile(
  take: (server: PostgresServer) => void | Promise<void>,
  alsoMissing?: string,
): Promise<() => Promise<string>> {
  const missing = (await PostgresServer.missing()) ?? alsoMissing;
  let server: PostgresServer | undefined;
  let databases = 0;
  beforeAll(async () => {
    if (missing !== undefined) return;
    server = await PostgresServer.start();
    await take(server);
  });
  afterAll(() => server?.end());
  beforeEach(({ skip }) => skip(missing !== undefined, missing));
  return async () => {
    databases += 1;
    const name = `queue-${databases}`;
    await server?.database(name);
    return name;
  };
}
