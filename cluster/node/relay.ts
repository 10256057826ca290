import { connect, createServer, type NetConnectOpts, type Server } from "node:net";

/** A server, to be told where to listen, that passes every connection on to `target`. */
export function createRelay(target: NetConnectOpts): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
    near.pipe(far);
    far.pipe(near);
    // One end's fault is the other's end: whoever speaks through the relay sees a broken connection, as without it.
    near.once("error", () => far.destroy());
    far.once("error", () => near.destroy());
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
  });
}
