import type { FastifyInstance } from "fastify";
import { metadataLimits, metadataPath } from "../../api/worker-metadata.ts";
import type { MetadataDesk, Question } from "./desk.ts";

const tableName = /^[a-z][a-z0-9_]{0,127}$/;
const resourceName = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

type Given = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `desk`: absent until the worker has begun. */
export function addMetadataRoute(app: FastifyInstance, desk: () => MetadataDesk | undefined): void {
  app.get(metadataPath, async (request, reply) => {
    const question = questionOf(request.query as Given); // By Fastify's own parser.
    if (typeof question === "string") return reply.code(400).send({ code: "BadQuestion", message: question });
    const open = desk();
    if (open !== undefined) return open.answer(question);
    const message = "the worker has not begun yet, and /readyz says why: ask again when it has";
    return reply.code(503).send({ code: "NotReady", message });
  });
}

/** @returns what is wrong with it, in words */
function questionOf(given: Given): Question | string {
  const tables = [...new Set([given["table"] ?? []].flat())];
  const resources = [...new Set([given["resource"] ?? []].flat())];
  const waitMs = Number(given["waitMs"] ?? 0);
  if (tables.length > metadataLimits.names || resources.length > metadataLimits.names) {
    return `at most ${metadataLimits.names} tables and as many resources are asked for at once`;
  }
  if (!tables.every((name) => tableName.test(name))) return "table is a logical name: lower case, digits and _";
  if (!resources.every((name) => resourceName.test(name))) return "resource is a name: letters, digits and _";
  if (!(waitMs >= 0 && waitMs <= metadataLimits.waitMs)) {
    return `waitMs is a number of milliseconds, ${metadataLimits.waitMs} at most`;
  }
  return { tables, resources, waitMs };
}
