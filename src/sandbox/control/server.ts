import { Readable } from "node:stream";
import fastify, { type FastifyReply } from "fastify";
import type { TLocalizedValidationError } from "typebox/error";
import Value from "typebox/value";
import type { ListenAddress } from "../../telemetry/address.ts";
import type { Logger } from "../../telemetry/log.ts";
import { type Listener, listen } from "../listener.ts";
import { ControlError, type SandboxControl } from "./interface.ts";
import { inputSchemas } from "./schemas.ts";

const largestBodyBytes = 512 * 1024 * 1024;

/**
 * The control API over HTTP: `POST /control/<method>`, body: the arguments as one JSON object (may be left out when
 * there are none). 200 with `{"result": ...}`; a stream is `application/x-ndjson`; 400 with `{"error": "..."}`.
 */
export async function listenControl(
  control: SandboxControl,
  address: ListenAddress,
  logger: Logger,
): Promise<Listener> {
  const app = fastify({ bodyLimit: largestBodyBytes, forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  app.get("/livez", () => "ok");
  app.get("/control", () => ({ methods: Object.keys(inputSchemas) }));
  app.post<{ Params: { method: string } }>("/control/:method", async (request, reply) => {
    try {
      const result = await call(control, request.params.method, typeof request.body === "string" ? request.body : "");
      return answer(reply, result);
    } catch (error) {
      if (error instanceof ControlError) return reply.code(400).send({ error: error.message });
      logger.error("a control call failed", { method: request.params.method, error });
      return reply.code(500).send({ error: String(error) });
    }
  });
  return listen(app, address);
}

async function call(control: SandboxControl, name: string, body: string): Promise<unknown> {
  if (!isMethod(name)) {
    throw new ControlError(`there is no control method "${name}"; methods: ${Object.keys(inputSchemas).join(", ")}`);
  }
  const input = parse(body);
  const schema = inputSchemas[name];
  if (!Value.Check(schema, input)) {
    const errors = [...new Set(Value.Errors(schema, input).map(explain))].filter((text) => text !== "");
    throw new ControlError(`the arguments of "${name}" do not fit: ${errors.slice(0, 8).join("; ")}`);
  }
  // The schema has just proved that `input` is what this method takes; TypeScript cannot follow a method chosen by name.
  const method = control[name] as (input: unknown) => unknown;
  return await method(input);
}

/** Where and why; empty for an error that only says that no alternative fits. */
function explain({ instancePath, keyword, message, params }: TLocalizedValidationError): string {
  if (keyword === "anyOf" || keyword === "const") return "";
  const at = instancePath === "" ? "/" : instancePath;
  if ("allowedValues" in params) return `${at} must be one of ${JSON.stringify(params.allowedValues).slice(1, -1)}`;
  if ("additionalProperties" in params)
    return `${at} has no ${JSON.stringify(params.additionalProperties).slice(1, -1)}`;
  return `${at} ${message}`;
}

function isMethod(name: string): name is keyof SandboxControl {
  return Object.hasOwn(inputSchemas, name);
}

function parse(body: string): unknown {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch (cause) {
    throw new ControlError(`the body is not JSON: ${String(cause)}`, { cause });
  }
}

function answer(reply: FastifyReply, result: unknown): FastifyReply {
  if (!isStream(result)) return reply.send({ result: result ?? null });
  return reply.type("application/x-ndjson").send(Readable.from(lines(result)));
}

function isStream(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

/** Many lines a chunk: one chunk a line is slow for a million. */
async function* lines(items: AsyncIterable<unknown>): AsyncIterable<string> {
  let chunk = "";
  for await (const item of items) {
    chunk += `${JSON.stringify(item)}\n`;
    if (chunk.length > 65_536) {
      yield chunk;
      chunk = "";
    }
  }
  if (chunk !== "") yield chunk;
}
