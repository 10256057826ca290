import { Command, InvalidArgumentError } from "commander";
import type { ListenAddress } from "../telemetry/address.ts";
import { type AddressFlag, addressFlag, flag, listenAddress, logLevelFlag } from "../telemetry/flags.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import { defaultOptions, type SandboxOptions } from "./options.ts";
import { runSandbox } from "./run.ts";

interface Flags {
  readonly dataverseAddress: AddressFlag;
  readonly campaignAddress: AddressFlag;
  readonly controlAddress: AddressFlag;
  readonly contacts: SandboxOptions["contacts"];
  readonly seed: number;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenLifetime: number;
  readonly campaignOrganization: string;
  readonly keyField: string;
  readonly logLevel: LogLevel;
}

/**
 * `integration-workflow sandbox`. Every flag can also be set as INTEGRATION_WORKFLOW_<FLAG>.
 * @param stop aborts when the process is to end
 */
export function sandboxCommand(stop: AbortSignal): Command {
  return new Command("sandbox")
    .description("stand-ins of Dataverse and Adobe Campaign, so that everything runs without an account")
    .addOption(addressFlag("--dataverse-address <address>", "where Dataverse and its token endpoint listen", 8081))
    .addOption(addressFlag("--campaign-address <address>", "where Campaign and IMS listen", 8082))
    .addOption(
      addressFlag("--control-address <address>", "where the control API listens; 0 for none. Do not expose it", 8083),
    )
    .addOption(
      flag(
        "--contacts <file or number>",
        "contacts to start with: a CSV file by Dataverse column names, or how many to make",
      )
        .default(5000)
        .argParser(parseContacts),
    )
    .addOption(flag("--seed <number>", "the same seed makes the same contacts").default(1).argParser(parseCount))
    .addOption(flag("--tenant-id <id>", "the tenant that signs in to Dataverse").default(defaultOptions.tenantId))
    .addOption(flag("--client-id <id>", "the application that signs in to both sides").default(defaultOptions.clientId))
    .addOption(flag("--client-secret <secret>", "its secret").default(defaultOptions.clientSecret))
    .addOption(flag("--token-lifetime <seconds>", "how long access tokens live").default(3599).argParser(parseSeconds))
    .addOption(
      flag("--campaign-organization <id>", "the organisation in Campaign's URLs").default(
        defaultOptions.campaignOrganization,
      ),
    )
    .addOption(flag("--key-field <name>", "the profile's identification key").default(defaultOptions.keyField))
    .addOption(logLevelFlag())
    .action(async (flags: Flags, command: Command) => {
      await runSandbox(optionsOf(flags, command), createLogger("sandbox", flags.logLevel), stop);
    });
}

function optionsOf(flags: Flags, command: Command): Partial<SandboxOptions> {
  return {
    dataverseAddress: requiredAddress(command, "--dataverse-address", flags.dataverseAddress),
    campaignAddress: requiredAddress(command, "--campaign-address", flags.campaignAddress),
    controlAddress: listenAddress(flags.controlAddress),
    contacts: flags.contacts,
    seed: flags.seed,
    tenantId: flags.tenantId,
    clientId: flags.clientId,
    clientSecret: flags.clientSecret,
    tokenLifetimeSeconds: flags.tokenLifetime,
    campaignOrganization: flags.campaignOrganization,
    keyField: flags.keyField,
  };
}

function requiredAddress(command: Command, name: string, value: AddressFlag): ListenAddress {
  return listenAddress(value) ?? command.error(`error: ${name} cannot be 0: the sandbox needs both sides`);
}

function parseContacts(text: string): SandboxOptions["contacts"] {
  return /^\d+$/.test(text) ? Number(text) : { file: text };
}

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a whole number`);
  return Number(text);
}

function parseSeconds(text: string): number {
  const seconds = parseCount(text);
  if (seconds === 0) throw new InvalidArgumentError("a token that lives 0 seconds lets nobody in: give 1 or more");
  return seconds;
}
