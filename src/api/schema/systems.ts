import { integer, number, object, oneOf, optional, string } from "./build.ts";
import { objectName, secretRef, serviceUrl } from "./references.ts";

export const dynamics = object(
  {
    url: serviceUrl("dynamics.url", "The organisation's address, such as https://contoso.crm.dynamics.com."),
    credentialsSecretRef: secretRef(
      "keys tenantId, clientId and clientSecret of the application user, optionally tokenUrl",
    ),
    share: integer({
      description:
        "Per cent of the application user's service protection limits that this workflow may use. Workflows that share an application user divide 100 among them.",
      minimum: 1,
      maximum: 100,
      default: 100,
    }),
  },
  { description: "The Microsoft Dynamics 365 (Dataverse) organisation." },
);

const sftpFormat = object(
  {
    timeZone: string({
      description: "IANA time zone of the times in the files, such as Europe/Paris.",
      minLength: 1,
      maxLength: 64,
      pattern: "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
    }),
    delimiter: string({ description: "Between two values.", minLength: 1, maxLength: 1, default: "," }),
    encoding: oneOf(["utf-8", "iso-8859-1", "windows-1252", "utf-16le"], {
      description: "Character encoding of the files.",
      default: "utf-8",
    }),
    dateFormat: string({
      description: "How a time is written, in the letters of Unicode Technical Standard 35.",
      minLength: 1,
      maxLength: 64,
      default: "yyyy-MM-dd HH:mm:ss",
    }),
  },
  { description: "How the exported files are written." },
);

const sftp = object(
  {
    host: string({
      description: "Host name of the SFTP server.",
      minLength: 1,
      maxLength: 253,
      pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
    }),
    port: integer({ description: "Port of the SFTP server.", minimum: 1, maximum: 65_535, default: 22 }),
    username: string({ description: "Name to sign in with.", minLength: 1, maxLength: 128 }),
    path: string({
      description: "Folder of the exported files, from the login's own folder or from /.",
      minLength: 1,
      maxLength: 1024,
    }),
    hostKey: string({
      description:
        "The server's public key, pinned: `type base64`, as ssh-keyscan prints it behind the host. Another key is an error, never a question.",
      maxLength: 2048,
      pattern: "^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}$",
    }),
    credentialsSecretRef: secretRef("key privateKey or password"),
    format: sftpFormat,
  },
  { description: "Where Campaign's exports arrive. Needed by Egress, and by OptInOut that reads Campaign by export." },
);

export const campaign = object(
  {
    url: serviceUrl(
      "campaign.url",
      "The instance's API address up to and with `campaign`, such as https://mc.adobe.io/contoso/campaign.",
    ),
    credentialsSecretRef: secretRef("keys clientId, clientSecret and scopes, optionally tokenUrl"),
    dialect: oneOf(["Standard", "V8"], {
      description:
        "Which Campaign answers: Campaign Standard, or Campaign v8 as an instance that was moved from Campaign Standard has its REST API. V8 is built from Adobe's documentation and was not tried on an instance.",
      default: "Standard",
    }),
    engineCallsPerSecond: number({
      description:
        "Engine calls a second that your Campaign package lets this workflow make. Campaign itself does not throttle.",
      minimum: 0.1,
      maximum: 1000,
    }),
    sftp: optional(sftp),
  },
  { description: "The Adobe Campaign instance." },
);

export const caBundle = object(
  {
    configMapRef: object(
      { name: objectName("Name of a ConfigMap in the workflow's namespace.") },
      { description: "The ConfigMap; its key `ca.crt` holds PEM certificates." },
    ),
  },
  { description: "Certificates to trust beside the public ones, for both systems." },
);
