/** The issuer that signs people in: OpenID Connect with authorization code and PKCE. */
import { readFileSync } from "node:fs";
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  type CustomFetch,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
  refreshTokenGrant,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
  tokenRevocation,
} from "openid-client";
import { Agent, buildConnector, fetch } from "undici";
import type { OidcSettings } from "../../settings.ts";
import { texts } from "../../texts.ts";
import type { Token } from "../session.ts";
import { tokenEnd } from "../token-end.ts";
import { failureOf, type Question, SignInError } from "./failure.ts";
import type { PendingSignIn } from "./pending.ts";

/** What the issuer has given for a person. */
export interface Grant extends Token {
  readonly subject: string;
}

export interface IssuerOptions {
  readonly settings: OidcSettings;
  /** Where people reach this page. */
  readonly publicOrigin: string;
  readonly now: () => number;
}

const answerSeconds = 10;
/** As long what the issuer says of itself is taken for true. */
const metadataMs = 600_000;
/** And so long more where it does not answer. */
const againMs = 30_000;

/**
 * Speaks with the issuer. Nothing is asked before somebody needs it, so the page starts, and goes on, without it; the secret
 * and the CA are read at each use, so renewed ones are taken up.
 */
export class Issuer {
  readonly #settings: OidcSettings;
  readonly #redirectUri: string;
  readonly #signedOutUri: string;
  readonly #now: () => number;
  readonly #agent: Agent;
  #known: { readonly configuration: Configuration; readonly untilMs: number } | undefined;
  /** However many want to know, the issuer is asked once at a time. */
  #asked: Promise<Configuration> | undefined;

  constructor({ settings, publicOrigin, now }: IssuerOptions) {
    this.#settings = settings;
    this.#redirectUri = `${publicOrigin}/sign-in/callback`;
    this.#signedOutUri = `${publicOrigin}/signed-out`;
    this.#now = now;
    this.#agent = agentOf(settings.caFile);
  }

  /** As the settings name it. */
  get url(): string {
    return this.#settings.issuer;
  }

  get clientId(): string {
    return this.#settings.clientId;
  }

  /** Learns what it says of itself, before anybody needs it. @throws SignInError */
  async find(): Promise<void> {
    await this.#configuration();
  }

  /** @throws SignInError */
  async authorizationUrl({ state, nonce, verifier }: PendingSignIn): Promise<URL> {
    const configuration = await this.#configuration();
    return this.#asking("discovery", async () =>
      buildAuthorizationUrl(configuration, {
        ...this.#settings.parameters,
        redirect_uri: this.#redirectUri,
        scope: this.#settings.scopes,
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      }),
    );
  }

  /**
   * Takes what the issuer has sent a browser back with.
   * @param query as it came, with its question mark
   * @throws SignInError
   */
  async redeem(query: string, { state, nonce, verifier }: PendingSignIn): Promise<Grant> {
    const configuration = await this.#configuration();
    const answer = new URL(this.#redirectUri);
    answer.search = query;
    const tokens = await this.#asking("code", () =>
      authorizationCodeGrant(configuration, answer, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      }),
    );
    return this.#grantOf(tokens, tokens.claims()?.sub);
  }

  /**
   * The next token of somebody who is signed in.
   * @throws SignInError
   */
  async renew(refreshToken: string, subject: string): Promise<Grant> {
    const configuration = await this.#configuration();
    const tokens = await this.#asking("renewal", () => refreshTokenGrant(configuration, refreshToken));
    const claims = tokens.claims();
    // OpenID Connect Core 12.2: if there is an ID token, its subject must be the same.
    if (claims !== undefined && claims.sub !== subject)
      throw new SignInError("AnswerRefused", texts.oidc.refused(this.url, texts.oidc.anotherSubject));
    const grant = this.#grantOf(tokens, subject);
    return { ...grant, refreshToken: grant.refreshToken ?? refreshToken };
  }

  /** RFC 7009: a copy of the refresh token is worth nothing afterwards. Does nothing where the issuer has no such endpoint. @throws SignInError */
  async revoke(refreshToken: string): Promise<void> {
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().revocation_endpoint === undefined) return;
    await this.#asking("renewal", () =>
      tokenRevocation(configuration, refreshToken, { token_type_hint: "refresh_token" }),
    );
  }

  /**
   * Where a person signs out of the issuer itself. It names the client and no ID token, which would stand in an address: the
   * issuer asks the person instead (RP-Initiated Logout 1.0, 2).
   * @returns undefined where the issuer has no such place @throws SignInError
   */
  async signOutUrl(): Promise<URL | undefined> {
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
    return this.#asking("discovery", async () =>
      buildEndSessionUrl(configuration, { post_logout_redirect_uri: this.#signedOutUri }),
    );
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #configuration(): Promise<Configuration> {
    const known = this.#known;
    if (known !== undefined && this.#now() < known.untilMs) return known.configuration;
    this.#asked ??= this.#asking("discovery", () => this.#discover()).finally(() => {
      this.#asked = undefined;
    });
    try {
      const configuration = await this.#asked;
      this.#known = { configuration, untilMs: this.#now() + metadataMs };
      return configuration;
    } catch (error) {
      if (known === undefined || !(error instanceof SignInError)) throw error;
      this.#known = { ...known, untilMs: this.#now() + againMs };
      return known.configuration;
    }
  }

  #discover(): Promise<Configuration> {
    const { issuer, clientId } = this.#settings;
    return discovery(new URL(issuer), clientId, undefined, this.#authentication(), {
      [customFetch]: this.#fetch,
      timeout: answerSeconds,
      // The API server checks signatures as well; a token that it could not take is better refused here, with words.
      execute: [enableNonRepudiationChecks],
    });
  }

  /** client_secret_basic is what an issuer takes that names nothing (OpenID Connect Discovery 1.0, 3). */
  #authentication(): ClientAuth {
    const { clientSecretFile } = this.#settings;
    if (clientSecretFile === undefined) return None();
    return (server, client, body, headers) => {
      const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
      const secret = secretIn(clientSecretFile);
      const way = methods.includes("client_secret_basic") ? ClientSecretBasic(secret) : ClientSecretPost(secret);
      way(server, client, body, headers);
    };
  }

  // undici's own fetch, for its agent; its Response is the one of Node but for its type.
  readonly #fetch: CustomFetch = async (url, options) =>
    (await fetch(url, {
      ...(options as Parameters<typeof fetch>[1]),
      dispatcher: this.#agent,
    })) as unknown as Response;

  #grantOf(tokens: TokenEndpointResponse & TokenEndpointResponseHelpers, subject: string | undefined): Grant {
    const { oidc } = texts;
    const token = tokens[this.#settings.token];
    if (token === undefined || subject === undefined || !/^[\x21-\x7e]+$/.test(token))
      throw new SignInError("AnswerRefused", oidc.refused(this.url, oidc.noToken(this.#settings.token)));
    const expiresIn = tokens.expiresIn();
    return {
      token,
      endsAtMs: tokenEnd(token) ?? (expiresIn === undefined ? undefined : this.#now() + expiresIn * 1000),
      subject,
      refreshToken: tokens.refresh_token,
    };
  }

  async #asking<T>(question: Question, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw failureOf(error, question, this.url, new Date(this.#now()));
    }
  }
}

function secretIn(file: string): string {
  try {
    const secret = readFileSync(file, "utf8").trim();
    if (secret !== "") return secret;
  } catch {
    // Said below, as of an empty one.
  }
  throw new SignInError("ClientRefused", texts.oidc.noSecret(file));
}

function agentOf(caFile: string | undefined): Agent {
  const timeout = answerSeconds * 1000;
  return new Agent({
    connect: (options, callback) => {
      try {
        const trust = caFile === undefined ? {} : { ca: readFileSync(caFile, "utf8") };
        buildConnector({ ...trust, timeout })(options, callback);
      } catch (error) {
        // Also what Node throws at once of a text that is no PEM.
        callback(error instanceof Error ? error : new Error(String(error)), null);
      }
    },
  });
}
