/** What the page says of a workflow's status, beside what the operator says itself. */

/** Each condition in plain words. */
export const conditionMeanings: Readonly<Record<string, Readonly<Record<"True" | "False" | "Unknown", string>>>> = {
  Ready: {
    True: "It is as it was asked to be.",
    False: "It is not yet, or cannot be, as it was asked to be.",
    Unknown: "No operator has looked yet.",
  },
  Running: { True: "Records move.", False: "No record moves.", Unknown: "No operator has looked yet." },
  Reconciling: { True: "It is on its way.", False: "Nothing is under way.", Unknown: "Nobody knows." },
  Stalled: { True: "It cannot go on before somebody helps.", False: "Nobody has to help.", Unknown: "Nobody knows." },
  RestartRequired: {
    True: "Edits wait for a stop and start.",
    False: "What runs is what the spec says.",
    Unknown: "Nobody knows.",
  },
  SchemaDrift: {
    True: "A mapping does not fit what the systems have now.",
    False: "Every mapping fits what the systems have.",
    Unknown: "Nobody has compared them yet.",
  },
  Throttled: { True: "Calls are held back.", False: "No call is held back.", Unknown: "Nobody knows." },
  LimitsOvercommitted: {
    True: "Workflows are promised more than their application user may use.",
    False: "Workflows are promised no more than their application user may use.",
    Unknown: "Nobody knows.",
  },
};

export const statusTexts = {
  since: "since",
  asked: (state: string) => `asked to be ${state.toLowerCase()}`,
  neverStarted: "never started",
  runOf: (run: number, edit: number) => `Run ${run}, of edit ${edit}`,
  edit: "edit",
  asSpec: "as the spec says",
  editsWait: (count: number) => (count === 1 ? "1 edit waits" : `${count} edits wait`),
  conditionTitles: ["Condition", "Means", "Since", "Reason", "Message"],
  transitionTitles: ["When", "From", "To", "Reason", "Revision"],
  pendingTitles: ["Field", "Runs with", "Would start with", "Changed by"],
  phase: "Phase",
  read: "Read",
  written: "Written",
  refused: "Refused",
  drift: "Fits the systems",
  ofTotal: (total: string) => `of ${total}`,
  perSecond: (count: string) => `${count} a second`,
  parked: (count: string) => `${count} wait for another record`,
  waitsFor: (tables: readonly string[]) => `after ${tables.join(", ")}`,
  fits: "yes",
  fitsNot: "no",
  notCompared: "not compared yet",
  onThisPage: { logs: "Show its log", restart: "Stop and start" },
  atTerminal: "At a terminal:",
  logTitle: (name: string) => `Log of ${name}`,
  logHelp:
    "The last lines, as your rights let the cluster give them away. It does not go on by itself; load the page again, or at a terminal:",
  logPod: (pod: string) => `Pod ${pod}`,
  logBefore: (pod: string) => `Pod ${pod}, before its last restart`,
  logEmpty: "It has logged nothing yet.",
  logNoPod: "No pod of it is there: it has not been started, or was stopped and its pods are gone.",
  mayNotRead: (what: string, namespace: string) =>
    `You may not get ${what} in namespace ${namespace}: ask for that right to see the log here.`,
  restartTitle: (name: string) => `Stop and start ${name}?`,
  restartMeans:
    "What is in flight is finished first. Your data is not synchronized until it is RUNNING again, mostly within a minute. What is queued is kept; nothing is lost.",
  restartBrings: "This comes into force then:",
  restartBringsNothing: "No edit waits: it starts again as it is.",
} as const;
