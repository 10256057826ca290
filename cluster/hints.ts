/** What the user's commands begin with. */
export interface Commands {
  readonly kubectl: string;
  /** Calls the sandbox's control API: a method and its arguments as JSON follow. */
  readonly sandbox: string;
  readonly stop: string;
  /** Stages troubles: their names follow. */
  readonly drill: string;
}

/** One of the sandbox's contacts, by the seed that it starts with. */
export const someone = { id: "58ca426c-1a87-4ff8-9f8c-14245e00e8e1", name: "Birdie Corkery" };

/** What to try once the workflows run: commands that work as they stand, pasted into a shell in the checkout. */
export function hints({ kubectl, sandbox, stop }: Commands): string {
  const ingress = "dynamics-365-to-campaign";
  const patch = (kind: string, json: string): string =>
    `${kubectl} -n crm patch iw ${ingress} --type ${kind} -p '${json}'`;
  const applyDeletes = '[{"op":"add","path":"/spec/ingress/mappings/0/applyDeletes","value":true}]';
  const restart = (value: string): string => patch("merge", `{"spec":{"restart":"${value}"}}`);
  const ask = (method: string, input: object): string => `${sandbox} ${method} '${JSON.stringify(input)}'`;
  const { id, name } = someone;
  const contacts = { table: "contact", count: 100, operation: "update", cells: { lastname: "N{n}" } };
  const noEmail = { table: "contact", rows: [{ id, cells: { donotbulkemail: true } }] };
  const noCalls = { resource: "profile", key: id, values: { denyListPhone: true } };
  return `
${ingress}  contacts of Dynamics 365 become profiles of Campaign
campaign-to-dynamics-365  Campaign's emails, their opens, clicks and bounces become activities of the contacts
opt-in-out                opt-outs go both ways

Look     ${kubectl} get iw -A -w
         ${kubectl} -n crm describe iw ${ingress}
Change   ${ask("changeMany", contacts)}
         100 contacts have other last names in Dynamics 365, and in Campaign seconds later.
Send     ${ask("sendDelivery", { count: 50 })}
         Campaign sends an email to 50 profiles and exports its logs. Seconds later, Dynamics 365 has that many more:
         ${ask("countRows", { table: "adobe_emailsend" })}
Opt out  ${ask("updateRows", noEmail)}
         Dynamics 365 says that ${name} wants no bulk email. Seconds later Campaign has it: denyListEmail
         ${ask("findRecords", { resource: "profile", key: id })}
         And the other way round, no phone calls: donotphone
         ${ask("updateRecord", noCalls)}
         ${ask("row", { table: "contact", id })}
Edit     ${patch("json", applyDeletes)}
         It runs on as before: get iw says that a restart is pending, describe says what it would change.
Restart  ${restart("1")}
Stop     ${patch("merge", '{"spec":{"state":"Stopped"}}')}
Start    ${patch("merge", '{"spec":{"state":"Running"}}')}
Break    ${kubectl} -n crm delete secret campaign
         ${restart("2")}
         It is FAILED in seconds, and describe says why. Mend it, and it is RUNNING again in little more than a minute:
         ${kubectl} apply -f examples/sandbox/2-secrets.yaml
End      ${stop}
         Takes all away.
`;
}

/** What to do once troubles are staged. */
export function drillHints(
  { kubectl, drill }: Commands,
  { kubectlFlags }: { readonly kubectlFlags: readonly string[] },
): string {
  const plugin = `node dist/kubectl-iw/kubectl-iw ${kubectlFlags.join(" ")} -n troubles`;
  return `
Find out what ails each workflow of the namespace troubles, and what to do, from the page alone or the plugin alone.

Page     ${kubectl} -n integration-workflow port-forward service/integration-workflow-operator-console 8090:80
         http://localhost:8090/workflows?namespace=troubles, and sign in with this token:
         ${kubectl} -n troubles create token practice
Plugin   ${plugin} list
         ${plugin} status NAME
End      ${drill} none
`;
}
