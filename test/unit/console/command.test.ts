import { expect, test } from "vitest";
import { consoleCommand } from "../../../src/console/command.ts";

function options(...flags: readonly string[]) {
  const command = consoleCommand(new AbortController().signal)
    .action(() => {})
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parse(["--public-url", "https://page.example.com", ...flags], { from: "user" });
  return command.opts();
}

test.each([
  ["--public-url", "http://page.example.com"],
  ["--public-url", "http://localhost.example.com"],
  ["--public-url", "https://page.example.com/workflows"],
  ["--oidc-issuer", "http://login.example.com"],
  ["--oidc-issuer", "https://login.example.com?tenant=all"],
  ["--oidc-issuer", "https://user:password@login.example.com"],
  ["--oidc-scopes", "profile email"],
  ["--oidc-token", "refresh_token"],
  ["--oidc-parameters", "prompt=consent&state=mine"],
  ["--oidc-parameters", "code_challenge_method=plain"],
  ["--oidc-parameters", "redirect_uri=https://evil.example"],
  ["--trusted-proxies", "ingress"],
  ["--trusted-proxies", "10.0.0.0/33"],
  ["--trusted-proxies", "10.0.0.0/8,"],
  ["--proxy-header", "x y"],
])("%s %s is refused", (flag, value) => {
  expect(() => options(flag, value)).toThrow();
});

test("what is plain is taken as it is", () => {
  expect(options("--public-url", "http://localhost:8090")["publicUrl"]).toBe("http://localhost:8090");
  expect(options("--oidc-issuer", "https://login.example.com/realms/all/")["oidcIssuer"]).toBe(
    "https://login.example.com/realms/all/",
  );
  expect(options("--oidc-scopes", "openid,groups")["oidcScopes"]).toBe("openid groups");
  expect(options("--oidc-parameters", "prompt=consent&domain_hint=example.com")["oidcParameters"]).toEqual({
    prompt: "consent",
    domain_hint: "example.com",
  });
  expect(options("--trusted-proxies", "10.0.0.0/8, ::1")["trustedProxies"]).toEqual(["10.0.0.0/8", "::1"]);
});
