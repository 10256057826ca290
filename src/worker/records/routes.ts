import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../../telemetry/log.ts";
import { StoreOutage } from "../queue/errors.ts";
import type { Complaint } from "./answers.ts";
import { AskedWronglyError, deadLettersQuestion, type Given, recordQuestion, redriveQuestion } from "./asked.ts";
import type { RecordDesk } from "./desk.ts";
import { whyStranger } from "./inside.ts";

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
const largestBodyBytes = 16_384;

interface Route {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly answer: (records: RecordDesk, request: FastifyRequest) => Promise<unknown>;
}

const routes: readonly Route[] = [
  {
    url: "/records",
    method: "GET",
    answer: (records, { query }) => records.fates(recordQuestion(query as Given, {})),
  },
  {
    url: "/records/:mapping/*", // A key may hold slashes.
    method: "GET",
    answer: (records, { query, params }) => {
      const { mapping, "*": key } = params as Record<"mapping" | "*", string>; // By the route's own pattern.
      return records.fates(recordQuestion(query as Given, { mapping, key }));
    },
  },
  {
    url: "/dead-letters",
    method: "GET",
    answer: (records, { query }) => records.deadLetters(deadLettersQuestion(query as Given)),
  },
  {
    url: "/dead-letters/redrive",
    method: "POST",
    answer: (records, { body }) => records.redrive(redriveQuestion(body)),
  },
];

/** Single records are spoken of to whoever is inside the pod, and to nobody else. `records`: absent until the worker has begun. */
export async function addRecordRoutes(
  app: FastifyInstance,
  records: () => RecordDesk | undefined,
  logger: Logger,
): Promise<void> {
  await app.register(async (scope) => {
    scope.setErrorHandler((error, _request, reply) => complain(error, reply, logger));
    for (const { url, method, answer } of routes) {
      scope.route({
        url,
        method: [...methods],
        bodyLimit: largestBodyBytes,
        onRequest: async (request, reply) => {
          const why = whyStranger(request.raw, method === "POST" && request.method === method);
          if (why !== undefined) return refuse(reply, 403, "Forbidden", why);
          if (request.method === method || (request.method === "HEAD" && method === "GET")) return undefined;
          void reply.header("allow", method);
          return refuse(reply, 405, "WrongMethod", `${url} takes ${method} only`);
        },
        handler: async (request, reply) => {
          const open = records();
          if (open !== undefined) return answer(open, request);
          return refuse(
            reply,
            503,
            "NotReady",
            "the worker has not begun yet, and /readyz says why: ask again when it has",
          );
        },
      });
    }
  });
}

function complain(error: unknown, reply: FastifyReply, logger: Logger): FastifyReply {
  if (error instanceof AskedWronglyError) return refuse(reply, error.status, error.code, error.message);
  if (error instanceof StoreOutage) return refuse(reply, 503, error.code, error.message);
  const { statusCode = 500, message = "" } = error as { statusCode?: number; message?: string }; // Fastify's own have both.
  if (statusCode < 500) return refuse(reply, statusCode, "BadQuestion", message);
  logger.error("records.failed", { error });
  return refuse(reply, 500, "Failed", "the worker failed to answer: its log says why; please report it");
}

function refuse(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.code(status).send({ code, message } satisfies Complaint);
}
