import { Command, InvalidArgumentError } from "commander";
import type { ListenAddress } from "../telemetry/address.ts";
import { type AddressFlag, addressFlag, flag, listenAddress, logLevelFlag } from "../telemetry/flags.ts";
import { createLogger, type LogLevel } from "../telemetry/log.ts";
import { defaultOptions, type SandboxOptions } from "./options.ts";
import { runSandbox } from "./run.ts";
import { hostKeyOf } from "./sftp/host-key.ts";
import { isPublicKey } from "./sftp/server.ts";

interface Flags {
  readonly dataverseAddress: AddressFlag;
  readonly campaignAddress: AddressFlag;
  readonly controlAddress: AddressFlag;
  readonly sftpAddress: AddressFlag;
  readonly sftpUsername: string;
  readonly sftpPassword: string;
  readonly sftpPublicKey: string | undefined;
  readonly sftpHostKey: SandboxOptions["sftpHostKey"];
  readonly exportFolder: string;
  readonly exportEverySeconds: number;
  readonly deliveryEverySeconds: number;
  readonly contacts: SandboxOptions["contacts"];
  readonly seed: number;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenLifetime: number;
  readonly campaignOrganization: string;
  readonly keyField: string;
  readonly optOutNames: SandboxOptions["optOutNames"];
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
    .addOption(addressFlag("--sftp-address <address>", "where Campaign's SFTP server listens; 0 for none", 8022))
    .addOption(flag("--sftp-username <name>", "who may sign in there").default(defaultOptions.sftpAccount.username))
    .addOption(flag("--sftp-password <password>", "by this password").default(defaultOptions.sftpAccount.password))
    .addOption(flag("--sftp-public-key <key>", "or by this key, as ssh-ed25519 AAAA...").argParser(parsePublicKey))
    .addOption(
      flag("--sftp-host-key <text>", "another text makes another host key")
        .default(defaultOptions.sftpHostKey, "sandbox")
        .argParser(hostKeyOf),
    )
    .addOption(
      flag("--export-folder <path>", "where Campaign's workflows export to").default(defaultOptions.exportFolder),
    )
    .addOption(
      flag("--export-every-seconds <seconds>", "how often Campaign exports what is new; 0 for never")
        .default(30)
        .argParser(parseCount),
    )
    .addOption(
      flag("--delivery-every-seconds <seconds>", "how often some profiles are sent an email; 0 for never")
        .default(0)
        .argParser(parseCount),
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
    .addOption(
      flag("--opt-out-names <prefix>", "what the profile's opt-out fields are called, as on newer or older instances")
        .choices(["denyList", "blackList"])
        .default(defaultOptions.optOutNames),
    )
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
    sftpAddress: listenAddress(flags.sftpAddress),
    sftpAccount: { username: flags.sftpUsername, password: flags.sftpPassword, publicKey: flags.sftpPublicKey },
    sftpHostKey: flags.sftpHostKey,
    exportFolder: flags.exportFolder,
    exportEverySeconds: flags.exportEverySeconds,
    deliveryEverySeconds: flags.deliveryEverySeconds,
    contacts: flags.contacts,
    seed: flags.seed,
    tenantId: flags.tenantId,
    clientId: flags.clientId,
    clientSecret: flags.clientSecret,
    tokenLifetimeSeconds: flags.tokenLifetime,
    campaignOrganization: flags.campaignOrganization,
    keyField: flags.keyField,
    optOutNames: flags.optOutNames,
  };
}

function requiredAddress(command: Command, name: string, value: AddressFlag): ListenAddress {
  return listenAddress(value) ?? command.error(`error: ${name} cannot be 0: the sandbox needs both sides`);
}

function parseContacts(text: string): SandboxOptions["contacts"] {
  return /^\d+$/.test(text) ? Number(text) : { file: text };
}

function parsePublicKey(text: string): string {
  if (!isPublicKey(text)) throw new InvalidArgumentError("write a public key such as ssh-ed25519 AAAA...");
  return text;
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
