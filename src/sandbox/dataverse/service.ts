import { header, type SandboxAnswer, type SandboxRequest } from "../answer.ts";
import { type AccessTokens, type Application, bearerToken } from "../identity.ts";
import { noMethod, refusalAnswer, withHeaders } from "./answers.ts";
import { answerBatch } from "./batch.ts";
import { DataverseRefusal } from "./errors.ts";
import type { Organization } from "./organization.ts";
import { type Preferences, parsePreferences } from "./preferences.ts";
import type { ServiceProtection } from "./service-protection.ts";
import { signIn } from "./sign-in.ts";
import { answerWebApi, webApiPath } from "./web-api.ts";

/** The Dataverse Web API and its token endpoint. One request in, one answer out; it never throws. */
export class DataverseService {
  readonly #organization: Organization;
  readonly #tenantId: string;
  readonly #application: Application;
  readonly #tokens: AccessTokens;
  readonly #protection: ServiceProtection;

  constructor(
    organization: Organization,
    identity: { tenantId: string; application: Application; tokens: AccessTokens },
    protection: ServiceProtection,
  ) {
    this.#organization = organization;
    this.#tenantId = identity.tenantId;
    this.#application = identity.application;
    this.#tokens = identity.tokens;
    this.#protection = protection;
  }

  async handle(request: SandboxRequest): Promise<SandboxAnswer> {
    const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(request.path)?.[1];
    if (tenant !== undefined && request.method === "POST") {
      return signIn(request, decodeURIComponent(tenant), this.#tenantId, this.#application, this.#tokens);
    }
    const preferences = parsePreferences(header(request, "prefer"));
    const refused = this.#checkToken(request);
    if (refused !== undefined) return refused;
    try {
      return await this.#protection.run(this.#application.clientId, async () => this.#answer(request, preferences));
    } catch (error) {
      if (error instanceof DataverseRefusal) return refusalAnswer(error, preferences);
      throw error;
    }
  }

  /** A refusal is an answer here: it costs the server as much as any other. */
  #answer(request: SandboxRequest, preferences: Preferences): SandboxAnswer {
    try {
      const [first, ...rest] = webApiPath(request.path);
      if (first !== "$batch" || rest.length > 0) return answerWebApi(this.#organization, request, preferences);
      if (request.method !== "POST") throw noMethod(request);
      return withHeaders(answerBatch(this.#organization, request, preferences), preferences);
    } catch (error) {
      if (error instanceof DataverseRefusal) return refusalAnswer(error, preferences);
      throw error;
    }
  }

  /** Source: the 401 of a protected Web API is empty and tells in WWW-Authenticate where to sign in. */
  #checkToken(request: SandboxRequest): SandboxAnswer | undefined {
    const token = bearerToken(header(request, "authorization"));
    const state = token === undefined ? "missing" : this.#tokens.state(token);
    if (state === "valid") return undefined;
    const reason =
      state === "missing"
        ? ""
        : ` error=invalid_token, error_description=${state === "expired" ? "The token is expired" : "Error during token validation!"},`;
    return {
      endpoint: "unauthorized",
      status: 401,
      headers: {
        "www-authenticate": `Bearer${reason} authorization_uri=${request.origin}/${this.#tenantId}/oauth2/authorize, resource_id=${request.origin}/`,
      },
      body: "",
    };
  }
}
