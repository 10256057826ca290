/** Every English sentence of the page that the API server or the operator does not say. */
import type { WorkflowState, WorkflowType } from "../api/integration-workflow.ts";

/** As users of Adobe's own app know them. */
export const typeNames: Readonly<Record<WorkflowType, { readonly name: string; readonly known: string }>> = {
  Ingress: { name: "Microsoft Dynamics 365 to Campaign", known: "Ingress" },
  Egress: { name: "Campaign to Microsoft Dynamics 365", known: "Egress" },
  OptInOut: { name: "Opt-In/Out", known: "Opt-In/Out" },
};

/** A type that only a newer operator knows is called as it calls itself. */
export function typeNameOf(type: WorkflowType): { readonly name: string; readonly known: string } {
  return Object.hasOwn(typeNames, type) ? typeNames[type] : { name: type, known: type };
}

/** What a state means for the data. */
export const stateMeanings: Readonly<Record<WorkflowState, string>> = {
  RUNNING: "The process is running and your data is synchronized.",
  STOPPED: "The process is not running, so your data is not synchronized.",
  STARTING: "It was asked to start and does not synchronize yet.",
  FAILED: "The process met errors that it could not recover from.",
};

export const texts = {
  product: "Integration workflows",
  skip: "Skip to the content",
  signIn: "Sign in",
  signOut: "Sign out",
  signedInAs: "Signed in as",
  token: "Token",
  tokenHelp:
    "A Kubernetes token of yours, such as kubectl create token NAME gives. Everything you do here is done with it, and it is kept only in an encrypted cookie of this browser.",
  tokenRefused: "The cluster does not take this token. It may have expired, or belong to another cluster.",
  tokenMissing: "Enter a token.",
  tokenTooLong: "This token is too long for this browser's cookies.",
  oneMoment: "One moment",
  goOn: "Go on",
  oidc: {
    signInAt: (host: string) => `Sign in at ${host}`,
    help: "Everything you do here is done in your name. Your sign-in is kept only in an encrypted cookie of this browser.",
    signedIn: "You are signed in",
    signedOut: "You are signed out here",
    stillThere: (host: string) => `You may still be signed in at ${host}, and in other pages that use it.`,
    signOutAt: (host: string) => `Sign out at ${host} too`,
    again: "Sign in again",
    unreachable: (issuer: string, why: string) =>
      `Nobody can be signed in now: no answer from the issuer ${issuer} to the page's server (${why}). Try again; if it stays so, tell whoever runs this page.`,
    silent: "it does not answer",
    distrusted:
      "no authority that is trusted has signed its certificate: give its CA with --oidc-ca-file, in the chart console.oidc.caConfigMap",
    answered: (status: number) => `it answered ${status}`,
    noDiscovery: (issuer: string, why: string) =>
      `${issuer}/.well-known/openid-configuration is not there (${why}). Whoever runs this page checks --oidc-issuer, in the chart console.oidc.issuer.`,
    misnamed: (issuer: string, name: string) =>
      `The issuer at ${issuer} calls itself "${name}". Whoever runs this page writes it just so in --oidc-issuer, in the chart console.oidc.issuer.`,
    clientRefused: (issuer: string, said: string) =>
      `${issuer} does not take this page for its client (${said}). Whoever runs this page checks the client id and the client secret: console.oidc.clientId and clientSecret in the chart.`,
    noSecret: (file: string) =>
      `The client secret is missing: ${file} is empty or cannot be read. Whoever runs this page checks console.oidc.clientSecret in the chart.`,
    clocksDiffer: (issuer: string, now: string) =>
      `The clock of ${issuer} and that of the page's server differ too much: what it signed is too old or not yet valid here, where it is ${now}. Whoever runs them sets both by NTP.`,
    denied: (said: string) => `The sign-in was broken off or not permitted (${said}). Nobody is signed in here.`,
    refused: (issuer: string, why: string) => `The sign-in at ${issuer} came to nothing (${why}). Try again.`,
    anotherSubject: "it answered for somebody else",
    noToken: (token: string) => `it gave no ${token}`,
    notBegunHere:
      "This sign-in was begun in another browser, more than ten minutes ago, or is finished already. Sign in again.",
    notTaken: (issuer: string, clientId: string, token: string) =>
      `${issuer} has signed you in, but the cluster does not take its ${token}. Whoever runs the cluster lets its API server trust it: --oidc-issuer-url=${issuer} and --oidc-client-id=${clientId}, or an AuthenticationConfiguration with this issuer.url and "${clientId}" among its audiences. The name that it takes from the token (username claim) must be in it, too.`,
    tooLong:
      "Your token is too long for a browser's cookies, for the groups that stand in it perhaps. Whoever runs the issuer gives the page's client fewer of them.",
  },
  workflows: "Workflows",
  name: "Name",
  type: "Type",
  namespace: "Namespace",
  backlog: "Backlog",
  status: "Status",
  lastSync: "Last sync",
  actions: "Actions",
  allNamespaces: "All namespaces",
  allStates: "All states",
  allTypes: "All types",
  show: "Show",
  whichNamespace: "Which namespace?",
  whichNamespaceHelp: "You may not see the workflows of all namespaces. Name one in which you may.",
  noWorkflows: "There is no workflow here.",
  noWorkflowsHelp: "Make one with New workflow or kubectl apply, or choose another namespace, state or type.",
  never: "never",
  unknown: "unknown",
  notSeen: "not seen yet",
  start: "Start",
  stop: "Stop",
  stopWithChanges: "Edits wait for a stop and start",
  restart: "Stop and start",
  edit: "Edit",
  mayNot: (verb: string, namespace: string) =>
    `You may not ${verb} workflows in namespace ${namespace}: ask for that right.`,
  asked: {
    start: "It was asked to start. It synchronizes when it is RUNNING.",
    stop: "It was asked to stop. What is in flight is finished first, and the backlog is kept.",
    restart: "It was asked to stop and start.",
    make: "It is made, and stopped. Start it when its Secrets are there.",
    edit: "The edit is saved. If the workflow runs, it takes effect at the next stop and start.",
  },
  stopTitle: (name: string) => `Stop ${name}?`,
  stopMeans:
    "Your data is not synchronized until it is started again. What is queued is kept and goes on at the next start; nothing is lost.",
  waitNow: (records: string) => `${records} records wait now.`,
  andMore: (count: number) => `and ${count} more`,
  publishTitle: "Before you publish changes",
  publishList: [
    "Wait until the status is STOPPED.",
    "Publish the changes of tables, columns, resources, fields or links in Dynamics 365 and in Campaign.",
    "Check the mappings that use them.",
    "Start the workflow, and see that it is RUNNING and that no mapping is paused.",
  ],
  cancel: "Cancel",
  notInstalled:
    "This cluster does not know IntegrationWorkflows: the operator's resource definition is not installed in it.",
  gone: "This workflow was deleted.",
  live: "Live",
  liveLost: (since: string) => `Not live since ${since}: the connection is lost. It is tried again.`,
  liveEnded: (since: string) => `Not live since ${since}: your sign-in has ended.`,
  signInAgain: "Sign in again",
  liveForbidden: (since: string) => `Not live since ${since}: you may not watch these workflows any more.`,
  liveGone: (since: string) => `Not live since ${since}: what this page shows is not there any more.`,
  loadAgain: "Load the page again",
  whatToDo: "What to do",
  mappings: "Mappings",
  pendingChanges: "Edits that wait for a stop and start",
  transitions: "What happened",
  events: "Events",
  eventTitles: ["When", "Type", "Reason", "Message", "Times", "By"],
  mayNotSeeEvents: "You may not list Events in this namespace: ask for that right to see them here.",
  runs: "Runs",
  runTitles: ["Run", "Revision", "Edit", "Started", "Earlier edit"],
  runsNow: "runs now",
  goBack: "Go back to it",
  backToRun: (run: number) => `Go back to what run ${run} ran`,
  mayNotSee: (plural: string, namespace: string) =>
    `You may not get ${plural} in namespace ${namespace}: ask for that right to see them here.`,
  conditions: "Conditions",
  revision: "What runs",
  drains: (words: string) => `about ${words} to go`,
  editsWait: "edits wait",
  owned: (field: string, manager: string) =>
    `spec.${field} belongs to "${manager}", which may put it back. Change it there, or overrule it here once.`,
  overrule: "Overrule it once",
  editTitle: (name: string) => `Edit ${name}`,
  editTakesForce: "An edit takes effect when the workflow is stopped and started. What runs now runs on as it is.",
  editWarning:
    "Stop the workflow before you publish changes of tables, columns, resources, fields or links that it uses.",
  backToRevision: (revision: string) =>
    `This is what revision ${revision} ran. Nothing is changed until you have looked at the changes and saved them.`,
  advanced: "Advanced settings",
  add: (what: string) => `Add: ${what}`,
  remove: (what: string) => `Remove: ${what}`,
  replay: "Replay at the next start",
  allUpdatesOn: "Apply updates: all on",
  allUpdatesOff: "Apply updates: all off",
  asForm: "Form",
  asYaml: "YAML",
  yamlHelp:
    "The same content as the form, and what the form has no fields for. Whether it runs is not part of it: that is Start and Stop.",
  newWorkflow: "New workflow",
  newMeans: "Its type, namespace and name stay as they are; all else can be edited later.",
  newGoOn: "Go on",
  newTypeMissing: "Choose a type.",
  newNamespaceHelp: "It has to be there, with the Secrets that the workflow names.",
  newNamespaceWrong: "Enter a namespace: lower-case letters, digits and -.",
  newNameHelp: (most: number) => `Lower-case letters, digits and -, at most ${most}.`,
  newNameWrong: (most: number) => `Enter a name: lower-case letters, digits and -, at most ${most} of them.`,
  newTitle: (name: string, namespace: string) => `New workflow ${name} in ${namespace}`,
  newIsStopped: "It is made stopped, and nothing is synchronized until somebody starts it.",
  makeTitle: (name: string) => `Make ${name}?`,
  make: "Make it",
  nameTaken: (name: string) => `There is a workflow ${name} in this namespace already.`,
  onlyInYaml:
    "Resources, labels, placement and environment of the pods have no fields here. They are kept as they are, and edited as YAML.",
  editAsYaml: "Edit as YAML",
  review: "Review changes",
  check: "Check",
  fine: "The cluster would take it.",
  refused: (count: number) => (count === 1 ? "One thing is refused" : `${count} things are refused`),
  nothingChanged: "Nothing is changed.",
  reviewTitle: (name: string) => `Save these changes of ${name}?`,
  changes: "Changes",
  changeTitles: ["Field", "Is", "Becomes"],
  absent: "(none)",
  save: "Save",
  editOn: "Edit on",
  ownedTitle: "Somebody else keeps some of these fields",
  ownedFields: (manager: string) => `"${manager}" wrote these, and may put them back. Better change them there.`,
  overruleFields: (manager: string) => `Overrule ${manager} once`,
  overruleMissing: "Say for each of them that it is to be overruled, or edit on.",
  meanwhileTitle: (name: string) => `${name} was edited by somebody else meanwhile`,
  meanwhileShort: "Somebody else has edited it meanwhile. Review changes shows both, and overwrites nothing.",
  meanwhileMeans: "Nothing of yours is saved. This is what they changed, and what you wanted to change.",
  theirs: "Their changes",
  mine: "Your changes",
  collide: "Both of you changed these; yours would stand",
  putOnTop: "Put mine on top of theirs",
  dropMine: "Drop mine",
  notOurs: "That edit is not understood: open the page again.",
} as const;
