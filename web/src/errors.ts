import type { Blame, ErrorCode, Messages, UploadError } from "./types.js";

/** What is said of all that passes. */
const byItself = "The upload goes on by itself.";

/** Whose fault it is, what happened, what can be done. ~ stands for the sentence above, and for passing. */
const table: Record<ErrorCode, `${Blame}|${string}|${string}`> = {
  offline: "network|This device is offline.|~",
  network: "network|The server does not answer.|Check the connection. ~",
  busy: "server|The server is busy ({status}).|~",
  "slow-down": "server|The server wants a pause (429).|~",
  full: "server|The server has no space left.|What was sent is safe. ~",
  foreign: "network|Something other than the server answered.|Does this network want you to sign in? ~",
  damaged: "network|The data arrived damaged.|~",
  clock: "device|The clock of this device is wrong.|Set the clock. ~",
  tab: "you|Another tab uploads this file.|~",
  unauthorised: "you|You have to sign in again.|What was sent is safe.",
  forbidden: "you|You may not upload this here. {detail}|Tell whoever runs the server.",
  "not-found": "page|No upload server is here ({status}).|Check the address. Try again.",
  "too-large": "file|The file is too large{limit}.|Choose a smaller one.",
  "too-large-chunk": "server|A proxy refuses small pieces (413).|Tell whoever runs the server.",
  refused: "server|The server refuses the upload ({status}). {detail}|Tell whoever runs the server.",
  unreadable: "file|The file cannot be read any more.|Choose it again. What was sent is safe.",
  changed: "file|The file has changed.|Try again: it is sent anew.",
  mismatch: "server|The file on the server is another one.|Try again: it is sent anew.",
  stream: "page|The stream broke off. {detail}|Try again.",
  "too-small": "file|The file is too small{limit}.|Choose another one.",
  "too-many": "you|Too many files{limit}.|Choose fewer.",
  "file-type": "file|Files of this type are not taken{limit}.|Choose another one.",
  duplicate: "you|The file is in the list already.|Choose another one.",
  "gave-up": "network||Try again.",
  page: "page|The page has a fault. {detail}|Tell whoever made it.",
};

/** The English sentences. */
export const messages = Object.fromEntries(
  Object.entries(table).map(([code, words]) => {
    const [, what, todo] = words.split("|");
    return [code, { what, todo: todo!.replace("~", byItself) }];
  }),
) as Messages;

export interface About {
  status?: number;
  detail?: string;
  limit?: string;
  name?: string;
}

/** What an exception says. */
export const said = (e: unknown): About => ({ detail: String((e as Error)?.message ?? e) });

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
    const whose = table[code].split("|")[0];
    const passes = table[code].includes("~");
    const fill = (s: string): string =>
      s.replace(/\{(\w+)\}/g, (_, word: keyof About) => String(about[word] ?? "")).trim();
    const what = fill(all[code].what);
    const todo = fill(all[final && passes ? "gave-up" : code].todo);
    super(what + " " + todo);
    const passing = !final && passes;
    Object.assign(this, { status: 0, detail: "", ...about, what, todo, whose, passing });
  }
}
