import { type Agent, get } from "node:https";
import { ClusterError } from "./errors.ts";

/**
 * Whether a GET by https is answered with 200. Refused or reset is no: the server is on its way up.
 * @throws ClusterError BadCertificate when the server's certificate does not fit, which never gets better
 */
export function answers(url: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, timeout: 5000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith("ERR_TLS") === true || error.code?.includes("CERT") === true) {
        reject(new ClusterError("BadCertificate", `${url} shows a certificate that does not fit: ${error.message}`));
      } else resolve(false);
    });
  });
}
