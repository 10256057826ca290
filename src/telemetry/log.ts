import winston from "winston";

/** What a log line may carry beside its event: ids, names, counts; never a secret, never a record's values. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One event a line, as JSON on standard output. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger whose every line also carries `fields`. */
  child(fields: LogFields): Logger;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The process's logger. `role` stands on every line. */
export function createLogger(role: string, level: LogLevel = "info"): Logger {
  return winston.createLogger({
    level,
    defaultMeta: { role },
    format: winston.format.combine(errorsAsFields(), winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console()],
  });
}

/** A logger for tests and for parts that are used without a process of their own. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

/** An Error as a field becomes its name, code, message and causes: JSON.stringify alone makes it `{}`. */
const errorsAsFields = winston.format((info) => {
  for (const [key, value] of Object.entries(info)) {
    if (value instanceof Error) info[key] = describeError(value);
  }
  return info;
});

interface ErrorDescription {
  name: string;
  code?: unknown;
  message: string;
  stack?: string | undefined;
  cause?: ErrorDescription | string;
}

function describeError(error: Error): ErrorDescription {
  const code: unknown = "code" in error ? error.code : undefined;
  const { cause } = error;
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message,
    stack: error.stack,
    ...(cause === undefined ? {} : { cause: cause instanceof Error ? describeError(cause) : String(cause) }),
  };
}
