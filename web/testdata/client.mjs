// Runs the built client for a Go test. The first argument is what to do as
// JSON; one line of JSON comes out for each event; commands come in, a line
// each: [method] of the uploader, or ["item", index, method].
import { readFileSync, writeFileSync, openAsBlob, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { Uploader } from "../dist/client.js";
import { direct } from "../dist/direct.js";
import { XMLHttpRequest } from "./xhr.mjs";

const job = JSON.parse(process.argv[2]);
if (job.xhr) globalThis.XMLHttpRequest = XMLHttpRequest;
const tell = (o) => process.stdout.write(JSON.stringify(o) + "\n");

/** A memory in a file, in place of IndexedDB. */
function memory(name) {
  let all = {};
  try {
    all = JSON.parse(readFileSync(name, "utf8"));
  } catch {}
  const save = () => writeFileSync(name, JSON.stringify(all));
  return {
    get: async (key) => all[key],
    all: async () => Object.values(all),
    put: (r) => ((all[r.key] = r), save()),
    delete: (key) => (delete all[key], save()),
  };
}

const options = { ...job.options };
if (options.targets) options.target = options.targets.map((t) => t + "/upload/");
if (job.direct) options.send = direct(job.direct);
if (job.patience) options.send.patience = job.patience;
if (job.memory) options.memory = memory(job.memory);
if (job.brokenMemory) {
  const broken = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  options.memory = { get: async () => broken(), all: async () => broken(), put: broken, delete: broken };
}
if (job.refresh) options.refreshToken = () => (tell({ event: "refresh" }), job.refresh.shift());
if (job.clock) {
  const real = Date.now;
  Date.now = () => real() + job.clock;
}

/** What a page or a browser may do to the client: job.odd names it. */
const never = () => new Promise(() => {});
const odd = {
  "memory hangs": () => (options.memory = { get: never, all: never, put() {}, delete() {} }),
  "headers hang once": () => {
    let times = 0;
    options.headers = () => (times++ === 2 ? never() : {});
  },
  "headers throw once": () => {
    let times = 0;
    options.headers = () => {
      if (times++ === 2) throw new Error("no headers");
      return {};
    };
  },
  "refresh hangs once": () => {
    let times = 0;
    options.refreshToken = () => (times++ ? "new" : never());
  },
  "refresh fails once": () => {
    let times = 0;
    options.refreshToken = () => (times++ ? "new" : Promise.reject(new TypeError("Failed to fetch")));
  },
  "worker is mute": () =>
    (globalThis.Worker = class {
      postMessage() {
        setTimeout(() => this.onmessageerror?.({}));
      }
      terminate() {}
    }),
};
odd[job.odd]?.();

const u = new Uploader(options);
const describe = (i) =>
  i && {
    name: i.name, state: i.state, size: i.size, acknowledged: i.acknowledged, sent: i.sent, waitingFor: i.waitingFor,
    retryIn: i.retryIn(), retryAt: i.retryAt, resumedAt: i.resumedAt, already: i.already, result: i.result, failures: i.failures,
    error: i.error && { ...i.error, message: i.error.message },
  };
u.on("catchAll", (event, a, b) => {
  if (event === "filesAdded") tell({ event, skipped: b.map((s) => s.error.code) });
  else if (event === "progress") tell({ event, stats: a });
  else if (event === "error") tell({ event, error: { ...a } });
  else tell({ event, item: describe(a), before: typeof b === "string" ? b : undefined });
});

async function source(f) {
  if (f.still) return new ReadableStream({ pull: never });
  if (f.stream) {
    const bytes = readFileSync(f.path);
    let at = 0;
    return new ReadableStream({
      pull(c) {
        if (at >= bytes.length) return c.close();
        const n = Math.min(bytes.length - at, 1 + Math.floor(Math.random() * 100_000));
        c.enqueue(new Uint8Array(bytes.subarray(at, (at += n))));
      },
    });
  }
  const blob = await openAsBlob(f.path, { type: f.type });
  const file = new File([blob], f.name, { lastModified: f.lastModified ?? Math.floor(statSync(f.path).mtimeMs), type: f.type });
  if (f.vanish) {
    // As if the disk were taken out.
    const slice = file.slice.bind(file);
    file.slice = (a, b) => {
      if (a < f.vanish) return slice(a, b);
      return { size: b - a, arrayBuffer: async () => { throw new DOMException("The file could not be read", "NotReadableError"); } };
    };
  }
  if (f.stutters) {
    // Each piece can be read only at the third attempt.
    const slice = file.slice.bind(file);
    const attempts = new Map();
    file.slice = (a, b) => {
      const piece = slice(a, b);
      const read = piece.arrayBuffer.bind(piece);
      piece.arrayBuffer = () => {
        attempts.set(a, (attempts.get(a) ?? 0) + 1);
        if (attempts.get(a) < 3) return Promise.reject(new DOMException("The file could not be read", "NotReadableError"));
        return read();
      };
      return piece;
    };
  }
  if (f.sleeps) {
    // The disk does not answer the first attempt, ever.
    const slice = file.slice.bind(file);
    let asked = false;
    file.slice = (a, b) => {
      const piece = slice(a, b);
      if (a >= f.sleeps && !asked) piece.arrayBuffer = () => ((asked = true), tell({ event: "asleep" }), never());
      return piece;
    };
  }
  return file;
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const [what, ...args] = JSON.parse(line);
  if (what === "item") u.files[args[0]][args[1]]();
  else if (what === "add") await u.add(await source(args[0]), args[0]);
  else if (what === "exit") process.exit(0);
  else await u[what](...args);
  tell({ event: "did", what });
});

const all = [];
for (const f of job.files) all.push([await source(f), { path: f.rel, name: f.name, fingerprint: f.fingerprint }]);
await u.addFiles(all);
if (!job.wait) u.upload();
