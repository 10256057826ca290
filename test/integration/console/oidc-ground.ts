/** The page with an issuer, and an API server of its own that trusts this issuer. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { freePort } from "../../../cluster/ports.ts";
import { ConsoleGround } from "./ground.ts";
import { TestIssuer } from "./issuer.ts";
import { Visitor } from "./visitor.ts";

/** The audience that the API server takes. */
const trusted = "workflows";
/** Known to the issuer, but not to the API server. */
export const otherClient = "somebody-else";
const secret = "correct horse battery staple";

export class OidcGround {
  readonly issuer: TestIssuer;
  readonly page: ConsoleGround;
  readonly controlPlane: ControlPlane;
  readonly #folder: string;
  readonly #visitors: Visitor[] = [];
  readonly #otherPort: number;

  private constructor(
    folder: string,
    issuer: TestIssuer,
    page: ConsoleGround,
    controlPlane: ControlPlane,
    otherPort: number,
  ) {
    this.#otherPort = otherPort;
    this.#folder = folder;
    this.issuer = issuer;
    this.page = page;
    this.controlPlane = controlPlane;
  }

  static async make(groups: Readonly<Record<string, readonly string[]>>): Promise<OidcGround> {
    const folder = mkdtempSync(join(tmpdir(), "console-oidc-"));
    const [port, otherPort] = [await freePort(), await freePort()];
    const clientOf = (client_id: string) => ({
      client_id,
      client_secret: secret,
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [port, otherPort].map((one) => `http://localhost:${one}/sign-in/callback`),
      post_logout_redirect_uris: [port, otherPort].map((one) => `http://localhost:${one}/signed-out`),
    });
    const clients = [clientOf(trusted), clientOf(otherClient)];
    const issuer = await TestIssuer.start(folder, { port: 0, clients, groups });
    const controlPlane = await startControlPlane({
      binaries: await controlPlaneBinaries(process.env, console.log),
      apiServerArguments: [`--authentication-config=${authenticationConfiguration(folder, issuer)}`],
    });
    writeFileSync(join(folder, "secret"), `${secret}\n`);
    const flags = OidcGround.#flags(folder, issuer, trusted);
    const page = await ConsoleGround.at(port, controlPlane.kubeconfigPath, ...flags);
    return new OidcGround(folder, issuer, page, controlPlane, otherPort);
  }

  get secret(): string {
    return secret;
  }

  writeSecret(text = secret): void {
    writeFileSync(join(this.#folder, "secret"), `${text}\n`);
  }

  get url(): string {
    return this.page.url;
  }

  /** Another page, as a client that the API server has not heard of, or with other flags, for as long as it is used. */
  async withOther(flags: readonly string[], use: (page: ConsoleGround) => Promise<void>): Promise<void> {
    const own = OidcGround.#flags(this.#folder, this.issuer, trusted);
    const page = await ConsoleGround.at(this.#otherPort, this.controlPlane.kubeconfigPath, ...own, ...flags);
    try {
      await use(page);
    } finally {
      await page.end();
    }
  }

  static #flags(folder: string, { url, caFile }: TestIssuer, client: string): readonly string[] {
    return [
      ...["--sign-in", "oidc", "--oidc-issuer", url, "--oidc-client-id", client, "--oidc-ca-file", caFile],
      ...["--oidc-client-secret-file", join(folder, "secret"), "--log-level", "debug"],
    ];
  }

  visitor(): Visitor {
    const visitor = new Visitor(this.issuer.caFile);
    this.#visitors.push(visitor);
    return visitor;
  }

  /** Lets a group of the issuer's do this to the workflows of a namespace. */
  async allow(group: string, namespace: string, ...verbs: readonly string[]): Promise<void> {
    const make = (...args: string[]) => this.page.cluster.server.kubectl(["-n", namespace, "create", ...args]);
    await make("role", group, `--verb=${verbs.join(",")}`, "--resource=integrationworkflows");
    await make("rolebinding", group, `--role=${group}`, `--group=oidc:${group}`);
  }

  async end(): Promise<void> {
    for (const visitor of this.#visitors) await visitor.close();
    await this.page.end();
    await this.issuer.stop();
    await this.controlPlane.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function authenticationConfiguration(folder: string, { url, caFile }: TestIssuer): string {
  const file = join(folder, "authentication.json");
  const content = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url, audiences: [trusted], certificateAuthority: readFileSync(caFile, "utf8") },
        claimMappings: {
          username: { claim: "sub", prefix: "oidc:" },
          groups: { claim: "groups", prefix: "oidc:" },
        },
      },
    ],
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}
