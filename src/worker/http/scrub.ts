/**
 * Messages of servers may quote values of records ("Duplicate value 'jane@example.com' ..."), and must not carry them
 * into logs, status, Events or the queue.
 *
 * The rule: of a server's message only these words leave: the services' codes, names that the caller knows (tables,
 * columns, resources, fields), and the plain words listed here, which the services' own messages are made of. Every
 * other run of words becomes one `…`. So a value leaves only if it is itself such a plain word.
 */
export function scrub(message: string, knownNames: Iterable<string> = []): string {
  const names = new Set(knownNames);
  const kept: string[] = [];
  for (const raw of message.slice(0, maxRead).split(separators)) {
    const word = raw.replace(/^[.!?*-]+|[.!?*-]+$/g, "");
    if (word === "") continue;
    if (names.has(word) || isCode(word) || plainWords.has(word.toLowerCase())) kept.push(word);
    else if (kept.at(-1) !== "…") kept.push("…");
  }
  const text = kept.join(" ");
  return text.length <= maxKept ? text : `${text.slice(0, maxKept)}…`;
}

const maxRead = 4096;
const maxKept = 300;
/** `@` too: Campaign writes `@gender` for the field gender. */
const separators = /[\s'"`“”‘’«»(){}[\],;:=<>/\\|&@]+/u;

/** Codes of Dataverse (`0x80044352`), Entra ID (`AADSTS7000215`), Campaign's engine (`RST-360011`), OAuth (`invalid_client`). */
function isCode(word: string): boolean {
  return /^(?:0x[0-9a-f]{8}|AADSTS\d{4,8}|[A-Z]{3}-\d{6}|(?:invalid|unauthorized|unsupported)_[a-z_]{4,30})$/.test(
    word,
  );
}

const plainWords: ReadonlySet<string> = new Set(
  `a about access account active administrator after again all allowed already an and any api application apply are
  argument array as assessing at attribute attributes authentication authorized bad be because been before body by
  call called caller can cannot change changed changes character characters check client code column columns combined
  concurrency concurrent conflict contact contains content could create created credentials data database date delete
  deleted deltatoken denied did disabled does duplicate edm empty enabled entity enum enumeration error exceeded
  exceeds execution exist existing exists expected expired expression failed field fields filter find for format found
  from full has have header id identifier if in incoming incorrect inner integer internal invalid is it item json key
  keys least length limit link longer lookup mandatory match matching max maximum message milliseconds minimum missing
  more must name navigation no not null number oauth object occurred of old on one only oops operation option optional
  or organization out over parameter parse payload perform permission please precondition primary privilege profile
  properties property provided query range read read-only reason record records reference referenced refused request
  requested requests required resource retry returned row sampled schema seconds secret segment select server service
  set setting should size something specified sql stamp state statement string such supplied supported sync system
  table tables tenant than that the their there this time timeout to token too tracking try type unable unauthorized
  undeclared unexpected unique unknown unsupported update updated uri url use used user valid value values version
  violates violation was went when while window with within without write wrong you your`.split(/\s+/),
);
