import { X509Certificate } from "node:crypto";
import { connect, createServer, type TLSSocket } from "node:tls";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createAuthority } from "../../../cluster/certificates.ts";

const now = new Date("2026-11-22T12:00:00Z");

test("an authority signs itself and may sign others", () => {
  const authority = new X509Certificate(createAuthority("local", now).certificate);
  expect(authority.ca).toBe(true);
  expect(authority.subject).toBe("CN=local");
  expect(authority.verify(authority.publicKey)).toBe(true);
});

test("what it issues names user, groups and hosts, and is valid now and in nine years", () => {
  const authority = createAuthority("local", now);
  const issued = authority.issue({
    commonName: "system:node:node1",
    organizations: ["system:nodes"],
    hosts: ["node1", "10.244.0.1"],
  });
  const certificate = new X509Certificate(issued.certificate);
  expect(certificate.subject).toBe("O=system:nodes\nCN=system:node:node1");
  expect(certificate.subjectAltName).toBe("DNS:node1, IP Address:10.244.0.1");
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(certificate.checkIssued(new X509Certificate(authority.certificate))).toBe(true);
  expect(certificate.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
  expect(new Date(certificate.validFrom).getTime()).toBeLessThan(now.getTime());
  expect(new Date(certificate.validTo).getUTCFullYear()).toBe(2036);
});

test("another authority's certificate does not verify", () => {
  const { certificate } = createAuthority("local", now).issue({ commonName: "x" });
  const other = new X509Certificate(createAuthority("local", now).certificate);
  expect(new X509Certificate(certificate).verify(other.publicKey)).toBe(false);
});

test("any name and any number of hosts come out as they went in: lengths of one, two and three octets", () => {
  const authority = createAuthority("local", now);
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/);
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 60 }), fc.uniqueArray(label, { maxLength: 40 }), (name, hosts) => {
      fc.pre(/^[ -~]+$/.test(name) && !/[\\,+"<>;=#\n]/.test(name) && name.trim() === name);
      const certificate = new X509Certificate(authority.issue({ commonName: name, hosts }).certificate);
      expect(certificate.subject).toBe(`CN=${name}`);
      expect(certificate.subjectAltName ?? "").toBe(hosts.map((host) => `DNS:${host}`).join(", "));
    }),
    { numRuns: 50 },
  );
});

test("a server and a client with issued certificates trust each other", async () => {
  const authority = createAuthority("local", new Date());
  const [server, client] = [
    authority.issue({ commonName: "server", hosts: ["127.0.0.1"] }),
    authority.issue({ commonName: "client" }),
  ];
  const options = { ca: authority.certificate, rejectUnauthorized: true };
  const seen = Promise.withResolvers<string>();
  const listener = createServer(
    { ...options, cert: server.certificate, key: server.key, requestCert: true },
    (socket: TLSSocket) => {
      const { CN } = socket.getPeerCertificate().subject;
      seen.resolve(String(CN));
      socket.end();
    },
  );
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const socket = connect({ ...options, host: "127.0.0.1", port, cert: client.certificate, key: client.key });
  socket.once("error", (error) => seen.reject(error));
  expect(await seen.promise).toBe("client");
  socket.destroy();
  await new Promise((resolve) => listener.close(resolve));
});
