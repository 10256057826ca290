import type { IncomingMessage, ServerResponse } from "node:http";
import { json, type RunningServer, serve } from "../http/http-server.ts";
import { type Workspace, type WorkspaceOptions, workspace } from "../http/workspace.ts";

export type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface Organization extends Workspace {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: IncomingMessage["headers"] }[];
}

/** A client of a server that signs anybody in and answers everything else as the test says. */
export async function organization(answer: Answer, connect: WorkspaceOptions["connect"] = {}): Promise<Organization> {
  const requests: Organization["requests"] = [];
  const server: RunningServer = await serve((request, response) => {
    if (request.url === "/token") return json(response, 200, { access_token: "t", expires_in: 3599 });
    requests.push({ path: decodeURIComponent(request.url ?? ""), headers: request.headers });
    return answer(request, response);
  });
  const made = await workspace({
    dataverseUrl: server.url,
    dynamics: { tenantId: "contoso", clientId: "app", clientSecret: "s", tokenUrl: `${server.url}/token` },
    campaign: {},
    connect,
  });
  return {
    ...made,
    url: server.url,
    requests,
    close: async () => {
      await made.close();
      await server.close();
    },
  };
}

export function refusal(status: number, code: string, message: string): Answer {
  return (_, response) => json(response, status, { error: { code, message } }, { "x-ms-service-request-id": "req-1" });
}
