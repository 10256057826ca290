/** From a page of this server's to the next, where a redirect would not do. */
import type { FastifyReply } from "fastify";
import { goOnPage } from "../pages/go-on.ts";
import { ownPath } from "./own-path.ts";

/**
 * A redirect is still the doing of whoever has led the browser here, and the browser keeps strict cookies back from what another
 * site has begun. This page is ours: what it goes on to gets them.
 */
export function goOn(reply: FastifyReply, title: string, to: string): FastifyReply {
  const path = ownPath(to);
  return reply
    .header("refresh", `0;url=${path}`)
    .type("text/html; charset=utf-8")
    .send(goOnPage(title, path).toString());
}
