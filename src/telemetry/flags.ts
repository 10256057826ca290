/** What the roles' command lines share. */
import { InvalidArgumentError, Option } from "commander";
import { type ListenAddress, parseListenAddress } from "./address.ts";
import { logLevels } from "./log.ts";

/** A flag such as `--log-level <level>`, which can also be set as INTEGRATION_WORKFLOW_LOG_LEVEL. */
export function flag(flags: string, description: string): Option {
  const name = /^--([a-z-]+)/.exec(flags)?.[1] ?? "";
  return new Option(flags, description).env(`INTEGRATION_WORKFLOW_${name.toUpperCase().replaceAll("-", "_")}`);
}

/** What Commander makes of an argument whose parser gives undefined. */
type Nowhere = "";

/** The value of an address flag: where to listen, or that 0 was given. */
export type AddressFlag = ListenAddress | Nowhere;

/** Where an address flag says to listen; undefined when 0 was given. */
export function listenAddress(value: AddressFlag): ListenAddress | undefined {
  return value === "" ? undefined : value;
}

/** A flag for an address to listen on, read by `listenAddress`. @param defaultPort undefined: nowhere unless it is given */
export function addressFlag(flags: string, description: string, defaultPort: number | undefined): Option {
  const option = flag(flags, description).argParser(address);
  if (defaultPort === undefined) return option.default("" satisfies Nowhere, "0");
  const fallback: ListenAddress = { port: defaultPort };
  return option.default(fallback, `:${defaultPort}`);
}

export function logLevelFlag(): Option {
  return flag("--log-level <level>", "how much to log").choices(logLevels).default("info");
}

function address(text: string): ListenAddress | undefined {
  try {
    return parseListenAddress(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
