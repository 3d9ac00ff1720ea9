import type { DirectOptions, Sender } from "./client.js";

/**
 * Sends pieces straight into the server's bucket, for `new Uploader({ send:
 * direct() })`, by addresses that the server signs for one piece each. The
 * server has to be told to do so, and the bucket to take pieces from the page's
 * origin (CORS). Whatever the bucket does not take, and what it cannot take,
 * goes through the server, in the same upload; the console says so once.
 */
export declare const direct: (o?: DirectOptions) => Sender;
