/** An issuer of OpenID Connect that is not ours: oidc-provider, over https with an authority of its own, on another site than the page. */
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import Provider, { type ClientMetadata, type Configuration } from "oidc-provider";
import { createAuthority } from "../../../cluster/certificates.ts";

export interface IssuerOptions {
  readonly port: number;
  readonly clients: readonly ClientMetadata[];
  /** Who may sign in, and the groups that stand in the token. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** What the tests have it do that an issuer in its right mind would not. */
interface Behaviour {
  /** How long the ID tokens are good. */
  idTokenSeconds: number;
  givesRefreshTokens: boolean;
  /** What the ID tokens say in place of what they should. */
  claims: ((claims: JWTPayload) => JWTPayload) | undefined;
  /** Signs with a key that nobody knows. */
  forges: boolean;
  /** Of renewals only. */
  omitsIdToken: boolean;
}

const asItShould: Behaviour = {
  idTokenSeconds: 3600,
  givesRefreshTokens: false,
  claims: undefined,
  forges: false,
  omitsIdToken: false,
};

export class TestIssuer {
  readonly url: string;
  readonly caFile: string;
  readonly #behaviour: Behaviour;
  /** Each token that it has given. */
  readonly tokens: string[] = [];
  /** `authorization_code`, `refresh_token` or `revocation`, in their order. */
  readonly asked: string[] = [];
  readonly #server: Server;
  #held: { readonly reached: () => void; readonly released: Promise<void> } | undefined;

  private constructor(url: string, caFile: string, behaviour: Behaviour, server: Server) {
    this.url = url;
    this.caFile = caFile;
    this.#behaviour = behaviour;
    this.#server = server;
  }

  /** @param folder for the file with its authority */
  static async start(folder: string, { port, clients, groups }: IssuerOptions): Promise<TestIssuer> {
    const authority = createAuthority("the issuer's authority", new Date());
    const caFile = `${folder}/issuer-ca.crt`;
    writeFileSync(caFile, authority.certificate);
    const { certificate: cert, key } = authority.issue({ commonName: "issuer", hosts: ["127.0.0.1", "localhost"] });
    const server = createServer({ cert, key });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const behaviour = { ...asItShould };
    const issuer = new TestIssuer(url, caFile, behaviour, server);
    const signing = await generateKeyPair("RS256", { extractable: true });
    const provider = new Provider(url, configuration(behaviour, clients, groups, await exportJWK(signing.privateKey)));
    provider.use(async (ctx, next) => {
      await next();
      await issuer.#answer(ctx, signing.privateKey);
    });
    const handle = provider.callback();
    server.on("request", (request, response) => void handle(request, response));
    return issuer;
  }

  /** Like this from now on, and else as it should. */
  behave(changes: Partial<Behaviour> = {}): void {
    Object.assign(this.#behaviour, asItShould, changes);
  }

  /** Keeps the next answer with a token back. */
  hold(): { readonly reached: Promise<void>; readonly release: () => void } {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#held = { reached: () => reached.resolve(), released: released.promise };
    return { reached: reached.promise, release: () => released.resolve() };
  }

  async #answer(ctx: { path: string; oidc?: { body?: { grant_type?: string } }; body: unknown }, key: CryptoKey) {
    if (ctx.path === "/token/revocation") this.asked.push("revocation");
    if (ctx.path !== "/token") return;
    const grant = ctx.oidc?.body?.grant_type ?? "";
    this.asked.push(grant);
    const held = this.#held;
    this.#held = undefined;
    held?.reached();
    await held?.released;
    const body = ctx.body as Record<string, unknown>;
    const given = body["id_token"];
    if (typeof given !== "string") return;
    const { claims, forges, omitsIdToken } = this.#behaviour;
    if (omitsIdToken && grant === "refresh_token") delete body["id_token"];
    else if (claims !== undefined || forges) {
      const [header, payload] = given
        .split(".", 2)
        .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
      const signer = forges ? (await generateKeyPair("RS256")).privateKey : key;
      body["id_token"] = await new SignJWT(claims?.(payload) ?? payload).setProtectedHeader(header).sign(signer);
    }
    for (const name of ["id_token", "access_token", "refresh_token"]) {
      if (typeof body[name] === "string") this.tokens.push(body[name]);
    }
  }

  /** Answers again, where it did before. */
  async resume(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(Number(new URL(this.url).port), "127.0.0.1", resolve));
  }

  /** Nobody is at its address any more. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function configuration(
  behaviour: Behaviour,
  clients: readonly ClientMetadata[],
  groups: IssuerOptions["groups"],
  key: object,
): Configuration {
  return {
    clients: [...clients],
    jwks: { keys: [{ ...key, use: "sig", alg: "RS256" }] },
    claims: { openid: ["sub", "groups"], profile: ["name"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["a key of the tests"] },
    features: { revocation: { enabled: true } },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, name: sub, groups: [...(groups[sub] ?? [])] }),
    }),
    issueRefreshToken: () => behaviour.givesRefreshTokens,
    rotateRefreshToken: true,
    ttl: {
      IdToken: () => behaviour.idTokenSeconds,
      ...{ AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
    },
  };
}
