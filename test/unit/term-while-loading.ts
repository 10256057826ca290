/** Preloaded: asks the process to end at the moment when its role's code is to be loaded. */
import { registerHooks } from "node:module";

registerHooks({
  load(url, context, nextLoad) {
    if (/\/src\/\w+\/command\.ts$/.test(url)) process.kill(process.pid, "SIGTERM");
    return nextLoad(url, context);
  },
});
