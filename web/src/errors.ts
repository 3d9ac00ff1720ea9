import type { Blame, ErrorCode, Messages, UploadError } from "./types.js";

/** Whose fault it is, what happened, what can be done. A ~ begins what passes by itself. */
const table: Record<ErrorCode, readonly [Blame, string, string]> = {
  offline: ["network", "This device is offline.", "~The upload goes on by itself."],
  network: ["network", "The server does not answer.", "~Check the connection. The upload goes on by itself."],
  busy: ["server", "The server is busy or restarting ({status}).", "~The upload goes on by itself."],
  "slow-down": ["server", "The server asks for a pause (429).", "~The upload goes on by itself."],
  full: ["server", "The server has no space left.", "~What was sent is safe. The upload goes on by itself."],
  foreign: ["network", "Something other than the upload server answered.", "~Does this network want you to sign in? The upload goes on by itself."],
  damaged: ["network", "The data arrived damaged.", "~It is sent again."],
  clock: ["device", "The clock of this device is wrong.", "~Set the clock. The upload goes on by itself."],
  tab: ["you", "Another tab is uploading this file.", "~If it stops, this one goes on."],
  unauthorised: ["you", "You have to sign in again.", "What was sent is safe."],
  forbidden: ["you", "You may not upload this here. {detail}", "Ask whoever runs the server."],
  "not-found": ["page", "There is no upload server at this address ({status}).", "Check the address, then try again."],
  "too-large": ["file", "The file is too large{limit}.", "Choose a smaller one."],
  "too-large-chunk": ["server", "A proxy refuses even small pieces (413).", "Tell whoever runs the server."],
  refused: ["server", "The server refuses the upload ({status}). {detail}", "Tell whoever runs the server."],
  unreadable: ["file", "The file cannot be read any more.", "If it was moved or changed, choose it again. What was sent is safe."],
  changed: ["file", "The content of the file has changed since it was begun.", "Try again to send all of it anew."],
  mismatch: ["server", "The file on the server is not the one that was sent.", "Try again to send all of it anew."],
  stream: ["page", "The stream broke off. {detail}", "Begin anew."],
  "too-small": ["file", "The file is too small{limit}.", "Choose another one."],
  "too-many": ["you", "These are too many files{limit}.", "Choose fewer."],
  "file-type": ["file", "Files of this type are not taken{limit}.", "Choose another one."],
  duplicate: ["you", "The file is in the list already.", "Choose another one."],
  "gave-up": ["network", "", "Try again."],
  page: ["page", "The page has a fault. {detail}", "Tell whoever made it."],
};

/** The English sentences. */
export const messages = Object.fromEntries(
  Object.entries(table).map(([code, [, what, todo]]) => [code, { what, todo: todo.replace("~", "") }]),
) as Messages;

export interface About {
  status?: number;
  detail?: string;
  limit?: string;
  name?: string;
}

/** An error with its sentences. `final` ends what would pass in other cases. */
export class Failure extends Error implements UploadError {
  override readonly name = "UploadError";
  declare readonly what: string;
  declare readonly todo: string;
  declare readonly whose: Blame;
  declare readonly status: number;
  declare readonly detail: string;
  declare readonly passing: boolean;

  constructor(
    readonly code: ErrorCode,
    own: Partial<Messages> | undefined,
    about: About = {},
    final = false,
  ) {
    const all = { ...messages, ...own };
    const [whose, , advice] = table[code];
    const passes = advice[0] === "~";
    const fill = (s: string): string =>
      s.replace(/\{(\w+)\}/g, (_, word: keyof About) => String(about[word] ?? "")).trim();
    const what = fill(all[code].what);
    const todo = fill(all[final && passes ? "gave-up" : code].todo);
    super(what + " " + todo);
    const passing = !final && passes;
    Object.assign(this, { status: 0, detail: "", ...about, what, todo, whose, passing });
  }
}
