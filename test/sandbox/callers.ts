import type { RunningSandbox } from "../../src/sandbox/sandbox.ts";

/** Bare HTTP against a sandbox: what a test of the wire needs, and no client of ours. */
export interface Caller {
  readonly token: string;
  /** `target` is a path below the side's base, or a whole URL. */
  call(method: string, target: string, options?: CallOptions): Promise<Answer>;
}

interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers by path, and fails where they differ
  readonly json: any;
}

/** Signed in to Dataverse; targets are relative to `/api/data/v9.2/`. */
export async function dataverseCaller(sandbox: RunningSandbox): Promise<Caller> {
  const { clientId, clientSecret } = sandbox.credentials;
  const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
  const scope = `${sandbox.dataverseUrl}/.default`;
  const token = await signIn(sandbox.dataverseTokenUrl, { ...form, scope });
  return caller(token, `${sandbox.dataverseUrl}/api/data/v9.2/`, { authorization: `Bearer ${token}` });
}

/** Signed in to Campaign; targets are relative to `/<ORG>/campaign/`. */
export async function campaignCaller(sandbox: RunningSandbox): Promise<Caller> {
  const { clientId, clientSecret } = sandbox.credentials;
  const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
  const token = await signIn(sandbox.campaignTokenUrl, { ...form, scope: "openid,campaign_sdk" });
  return caller(token, `${sandbox.campaignUrl}/`, { authorization: `Bearer ${token}`, "x-api-key": clientId });
}

export async function signIn(url: string, form: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(url, { method: "POST", body: new URLSearchParams(form) });
  const { access_token: token } = (await response.json()) as { access_token: string };
  return token;
}

function caller(token: string, base: string, always: Readonly<Record<string, string>>): Caller {
  return {
    token,
    call: async (method, target, { headers = {}, body } = {}) => {
      const url = /^https?:/.test(target) ? target : `${base}${target}`;
      const response = await fetch(url, {
        method,
        headers: { ...always, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json") === true && text !== "";
      return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
    },
  };
}
