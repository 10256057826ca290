import type { Side } from "../faults.ts";
import { campaignControl } from "./campaign-control.ts";
import { dataverseControl } from "./dataverse-control.ts";
import { exportsControl } from "./exports-control.ts";
import { ControlError, type SandboxControl } from "./interface.ts";
import type { SandboxWorld } from "./world.ts";

/** The control API in process. */
export function sandboxControl(world: SandboxWorld): SandboxControl {
  const sideOf = (side: Side) => world[side];
  return {
    ...dataverseControl(world),
    ...campaignControl(world),
    ...exportsControl(world),
    counters: async () => ({
      dataverse: world.dataverse.traffic.read(),
      campaign: { ...world.campaign.traffic.read(), engineCalls: world.instance.engineCalls },
    }),
    resetCounters: async () => {
      world.dataverse.traffic.reset();
      world.campaign.traffic.reset();
      world.instance.engineCalls = 0;
    },
    setWriteLog: async ({ enabled }) => {
      world.organization.writes.enable(enabled);
      world.instance.writes.enable(enabled);
    },
    clearWriteLog: async () => {
      world.organization.writes.clear();
      world.instance.writes.clear();
    },
    addFault: async (rule) => {
      try {
        return world.faults.add(rule);
      } catch (cause) {
        throw new ControlError(`pathPattern is not a regular expression: ${String(cause)}`, { cause });
      }
    },
    removeFault: async ({ id }) => world.faults.remove(id),
    clearFaults: async () => world.faults.clear(),
    faults: async () => world.faults.list(),
    setGate: async ({ side, state }) => sideOf(side).gate.set(state),
    setClientSecret: async ({ side, clientSecret }) => {
      sideOf(side).application.clientSecret = clientSecret;
    },
    expireAccessTokens: async ({ side }) => sideOf(side).tokens.expireAll(),
    setTokenLifetime: async ({ side, seconds }) => {
      sideOf(side).tokens.lifetimeSeconds = seconds;
    },
  };
}
