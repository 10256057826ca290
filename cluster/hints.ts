/**
 * What to try once the workflows run: commands that work as they stand, pasted into a shell in the checkout.
 * `kubectl` and `stop` are the commands to begin with.
 */
export function hints(kubectl: string, stop: string): string {
  const patch = (kind: string, json: string): string =>
    `${kubectl} -n crm patch iw contacts --type ${kind} -p '${json}'`;
  const applyDeletes = '[{"op":"add","path":"/spec/ingress/mappings/0/applyDeletes","value":true}]';
  const restart = (value: string): string => patch("merge", `{"spec":{"restart":"${value}"}}`);
  return `
Look     ${kubectl} get iw -A -w
         ${kubectl} -n crm describe iw contacts
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
