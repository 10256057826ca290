/** What to try once the workflows run: commands that work as they stand, pasted into a shell in the checkout. */
export function hints(context: string | undefined): string {
  const [kubectl, stop] =
    context === undefined
      ? ["npm run -s kubectl --", "npm run stop"]
      : [`kubectl --context ${context}`, `npm run stop -- --context ${context}`];
  const patch = (json: string): string => `${kubectl} -n demo patch iw contacts --type merge -p '${json}'`;
  return `
Look      ${kubectl} get iw -A -w
          ${kubectl} -n demo describe iw contacts
Edit      ${patch('{"spec":{"dynamics":{"share":50}}}')}
          nothing changes while it runs: the table says that a restart is pending, and describe says what it would change
Restart   ${patch('{"spec":{"restart":"1"}}')}
Stop      ${patch('{"spec":{"state":"Stopped"}}')}
Start     ${patch('{"spec":{"state":"Running"}}')}
Break     ${kubectl} -n demo delete secret campaign
          and mend it: ${kubectl} apply -f examples/sandbox
End       ${stop}
          takes all away
`;
}
