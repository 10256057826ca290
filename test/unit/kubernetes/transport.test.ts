import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAuthority } from "../../../cluster/certificates.ts";
import { Client } from "../../../src/kubernetes/client.ts";
import type { Connection } from "../../../src/kubernetes/connection.ts";
import { credentialsOf } from "../../../src/kubernetes/credentials.ts";
import { ApiError, ConfigurationError, ConnectionError } from "../../../src/kubernetes/errors.ts";
import { createTransport, type Transport } from "../../../src/kubernetes/transport.ts";

/** A plain HTTP server in the API server's place: what is tested is what a real one does rarely, or never by itself. */
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let transport: Transport | undefined;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "transport-"));
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await transport?.close();
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function client(fields: Partial<Connection> = {}, path = ""): Client {
  const { port } = server.address() as AddressInfo;
  const connection: Connection = {
    server: `http://127.0.0.1:${port}${path}`,
    namespace: undefined,
    origin: "test",
    credentials: credentialsOf({ name: "u" }, {}),
    trust: () => ({ ca: undefined, serverName: undefined, skipVerification: false }),
    ...fields,
  };
  transport = createTransport({ connection, userAgent: "integration-workflow-operator/1.2.3" });
  return new Client({ transport, server: connection.server, fieldManager: "test" });
}

test("calls name the program, and keep the path of a server behind a prefix", async () => {
  answer = (request, response) => response.end(`${request.url} ${request.headers["user-agent"]}`);
  expect(await client({}, "/clusters/one").getText("/version")).toBe(
    "/clusters/one/version integration-workflow-operator/1.2.3",
  );
});

test("after a 401 the token is read again and the call sent once more", async () => {
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "old");
  const seen: unknown[] = [];
  answer = (request, response) => {
    seen.push(request.headers.authorization);
    writeFileSync(tokenFile, "new");
    response.statusCode = request.headers.authorization === "Bearer new" ? 200 : 401;
    response.end("ok");
  };
  const own = client({ credentials: credentialsOf({ name: "u", tokenFile }, {}) });
  expect(await own.getText("/version")).toBe("ok");
  expect(await own.getText("/version")).toBe("ok");
  expect(seen).toEqual(["Bearer old", "Bearer new", "Bearer new"]);
});

test("after a 401 a renewed client certificate is used, though the connections that are open were made with the old one", async () => {
  const authority = createAuthority("test", new Date());
  const serverCertificate = authority.issue({ commonName: "server", hosts: ["127.0.0.1"] });
  const names: string[] = [];
  const secure = createSecureServer(
    {
      key: serverCertificate.key,
      cert: serverCertificate.certificate,
      ca: authority.certificate,
      requestCert: true,
    },
    (request, response) => {
      const name = String((request.socket as TLSSocket).getPeerCertificate().subject?.CN);
      names.push(name);
      response.statusCode = name === "old" ? 401 : 200;
      response.end("ok");
    },
  );
  await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
  const [certFile, keyFile] = [join(folder, "client.pem"), join(folder, "client.key")];
  const write = (commonName: string): void => {
    const { certificate, key } = authority.issue({ commonName });
    writeFileSync(certFile, certificate);
    writeFileSync(keyFile, key);
  };
  write("old");
  const own = client({
    server: `https://127.0.0.1:${(secure.address() as AddressInfo).port}`,
    credentials: credentialsOf({ name: "u", certFile, keyFile }, {}),
    trust: () => ({ ca: authority.certificate, serverName: undefined, skipVerification: false }),
  });
  const isRefused = expect.objectContaining({ status: 401 });
  await expect(own.getText("/version")).rejects.toEqual(isRefused);
  // While the file is the same, a refusal is not asked for twice.
  await expect(own.getText("/version")).rejects.toEqual(isRefused);
  expect(names).toEqual(["old", "old"]);
  write("new");
  expect(await Promise.all(["/a", "/b", "/c"].map((path) => own.getText(path)))).toEqual(["ok", "ok", "ok"]);
  names.splice(0);
  expect(await own.getText("/version")).toBe("ok");
  expect(names).toEqual(["new"]);
  await transport?.close();
  secure.closeAllConnections();
  await new Promise((resolve) => secure.close(resolve));
});

test("a 401 that stays is an ApiError", async () => {
  answer = (_request, response) => {
    response.statusCode = 401;
    response.end();
  };
  await expect(client().getText("/version")).rejects.toMatchObject({ status: 401 });
});

test("what a load balancer says in place of the API server is shown as it is", async () => {
  answer = (_request, response) => {
    response.statusCode = 503;
    response.end("<html>no backend</html>");
  };
  const call = client().getText("/version");
  await expect(call).rejects.toBeInstanceOf(ApiError);
  await expect(call).rejects.toThrow("GET /version: 503 : <html>no backend</html>");
});

test("an answer that breaks off is a ConnectionError, not half an answer", async () => {
  answer = (_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half");
    setImmediate(() => response.destroy());
  };
  await expect(client().getText("/version")).rejects.toBeInstanceOf(ConnectionError);
});

test("credentials that cannot be had are told of as they are", async () => {
  answer = (_request, response) => response.end();
  const own = client({ credentials: credentialsOf({ name: "u", tokenFile: join(folder, "none") }, {}) });
  await expect(own.getText("/version")).rejects.toBeInstanceOf(ConfigurationError);
});

test("a caller's signal ends the call with the signal's reason", async () => {
  answer = () => {};
  const stop = new AbortController();
  const call = client().getText("/version", { signal: stop.signal });
  stop.abort(new Error("shutting down"));
  await expect(call).rejects.toThrow("shutting down");
});
