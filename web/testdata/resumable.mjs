// The names of Resumable.js' documentation, one test each, for a Go test that
// has the server. The first argument is its address; a line of JSON comes out
// for each test.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import Default, { Resumable } from "../dist/resumable.js";

const server = process.argv[2];
const only = process.argv[3];
const patience = 20_000;

/** What was sent since a test began; a test may answer in the server's place. */
let sent = [];
let answer;
let now = 0;
let most = 0;
const real = globalThis.fetch;
globalThis.fetch = async (url, init) => {
  const u = new URL(url);
  const about = { method: init.method, path: u.pathname, query: u.searchParams, headers: init.headers, credentials: init.credentials, body: init.body };
  sent.push(about);
  if (init.body) most = Math.max(most, ++now);
  try {
    const left = new Promise((_, no) => init.signal.addEventListener("abort", () => no(new Error("aborted"))));
    left.catch(() => {});
    return (await Promise.race([answer?.(about), left])) || (await real(url, init));
  } finally {
    if (init.body) now--;
  }
};
const chunks = () => sent.filter((s) => /^bytes \d/.test(s.headers["Content-Range"] ?? ""));
const ranges = () => chunks().map((s) => s.headers["Content-Range"].match(/\d+/g).slice(0, 2).map(Number));
const questions = () => sent.filter((s) => s.headers["Content-Range"]?.startsWith("bytes *"));

const alarms = [];
globalThis.alert = (sentence) => alarms.push(sentence);

let serial = 0;
let dates = 0;
const first = Math.floor(Math.random() * 1.7e12);
const bytes = (n) => randomBytes(n);
const file = (size = 10, name = `f${++serial}.bin`, about = {}) => new File([bytes(size)], name, { lastModified: first + ++dates, ...about });

const made = [];
function make(options = {}, target = "/resumable_upload") {
  const r = new Resumable({ target: server + target, query: { upload_token: `t${serial}` }, ...options });
  made.push(r);
  return r;
}
/** event waits for an event, and gives what it brought. */
function event(r, name) {
  const came = new Promise((ok, no) => {
    const timer = setTimeout(() => no(new Error(`no ${name}`)), patience);
    r.on(name, (...args) => (clearTimeout(timer), ok(args)));
  });
  came.catch(() => {}); // who waits for it hears
  return came;
}
const until = async (is) => {
  for (const end = Date.now() + patience; !is(); await new Promise((ok) => setTimeout(ok, 2))) {
    if (Date.now() > end) throw new Error(`never: ${is}`);
  }
};
async function add(r, ...files) {
  if (!files.length) return [];
  const added = event(r, "filesAdded");
  r.addFiles(files);
  return (await added)[0];
}
/** whole sends files and returns what the server says of the last. */
async function whole(r, ...files) {
  const added = await add(r, ...files);
  let last;
  r.on("fileSuccess", (_, message) => (last = JSON.parse(message)));
  const failed = new Promise((_, no) => r.on("fileError", (f, message) => no(new Error(message))));
  failed.catch(() => {});
  const over = event(r, "complete");
  r.upload();
  await Promise.race([over, failed]);
  assert.equal(added.length, files.length);
  return last;
}
const sum = (b) => createHash("sha256").update(b).digest("hex");
async function same(result, f) {
  const got = await real(new URL(new URL(result.url).pathname, server));
  assert.equal(got.status, 200);
  assert.equal(sum(Buffer.from(await got.arrayBuffer())), sum(Buffer.from(await f.arrayBuffer())), "another file arrived");
}
/** An answer that comes when somebody lets it. */
function gate() {
  let open;
  const opened = new Promise((ok) => (open = ok));
  return { opened, open };
}
const defaults = (name, value) => assert.deepEqual(new Resumable().opts[name], value);
const size = 250_000;
const chunkSize = 100_000;
/** names tests what a parameter is called: its default, another name, and none. */
const named = (option, standard, value, ofChunk) => async () => {
  defaults(option, standard);
  for (const [name, want] of [[undefined, standard], ["other", "other"], ["", undefined]]) {
    sent = [];
    const r = make({ chunkSize, ...(name === undefined ? {} : { [option]: name }) });
    const f = file(size, "näme.txt", { type: "text/plain" });
    await whole(r, f);
    assert.equal(chunks().length, 2);
    for (const [i, s] of chunks().sort((a, b) => a.headers["Content-Range"].length - b.headers["Content-Range"].length).entries()) {
      const wanted = typeof value === "function" ? value(i, r.files[0]) : value;
      if (want) assert.equal(s.query.get(want), String(wanted));
      else assert.ok(!s.query.has(standard));
    }
    for (const s of questions()) assert.equal(s.query.has(want), !!want && !ofChunk);
  }
};

const tests = {
  "option target": async () => {
    defaults("target", "/");
    await same(await whole(make({}, "/upload"), ...[file()].map((f) => (globalThis.given = f))), globalThis.given);
    assert.match(sent[0].path, /^\/upload\/f/);
    sent = [];
    await whole(make({ target: (p) => (assert.deepEqual(p, []), `${server}/resumable_upload?a=1`) }), file());
    assert.match(sent[0].path, /^\/resumable_upload\/f/);
    assert.equal(sent[0].query.get("a"), "1");
    sent = [];
    await whole(make({ target: `${server}/` }), file()); // what the default is in a page
    assert.match(sent[0].path, /^\/upload\/f/);
  },
  "option testTarget": async () => {
    defaults("testTarget", null);
    await whole(make({ chunkSize, testTarget: "http://127.0.0.1:1/" }), file(size));
    assert.ok(questions().every((s) => s.path.startsWith("/resumable_upload")));
  },
  "option chunkSize": async () => {
    defaults("chunkSize", 1 << 20);
    const f = file(size);
    await same(await whole(make({ chunkSize: 60_000, simultaneousUploads: 1 }), f), f);
    assert.deepEqual(ranges(), [[0, 59_999], [60_000, 119_999], [120_000, 179_999], [180_000, 249_999]]);
  },
  "option forceChunkSize": async () => {
    defaults("forceChunkSize", false);
    const f = file(size);
    await same(await whole(make({ chunkSize: 60_000, simultaneousUploads: 1, forceChunkSize: true }), f), f);
    assert.deepEqual(ranges().at(-1), [240_000, 249_999]);
    const r = make({ chunkSize: 10, forceChunkSize: true });
    const n = async (size) => (await add(r, file(size)))[0].chunks.length;
    assert.deepEqual([await n(5), await n(10), await n(11), await n(20)], [1, 1, 2, 2]);
    const q = make({ chunkSize: 10 });
    const m = async (size) => (await add(q, file(size)))[0].chunks.length;
    assert.deepEqual([await m(5), await m(10), await m(19), await m(25), await m(30)], [1, 1, 1, 2, 3]);
  },
  "option simultaneousUploads": async () => {
    defaults("simultaneousUploads", 3);
    for (const [options, want] of [[{}, 3], [{ simultaneousUploads: 1 }, 1], [{ simultaneousUploads: 5 }, 5]]) {
      most = 0;
      const r = make({ chunkSize: 20_000, ...options });
      const { opened, open } = gate();
      answer = (s) => s.body && opened.then(() => undefined);
      const end = whole(r, file(size));
      await until(() => most >= want);
      open();
      await end;
      assert.equal(most, want);
      answer = undefined;
    }
  },
  "option fileParameterName": async () => {
    defaults("fileParameterName", "file");
    const f = file();
    await same(await whole(make({ fileParameterName: "other" }), f), f);
  },
  "option chunkNumberParameterName": named("chunkNumberParameterName", "resumableChunkNumber", (i) => i + 1, true),
  "option chunkSizeParameterName": named("chunkSizeParameterName", "resumableChunkSize", chunkSize, true),
  "option currentChunkSizeParameterName": named("currentChunkSizeParameterName", "resumableCurrentChunkSize", (i) => [100_000, 150_000][i], true),
  "option totalSizeParameterName": named("totalSizeParameterName", "resumableTotalSize", size),
  "option typeParameterName": named("typeParameterName", "resumableType", "text/plain"),
  "option identifierParameterName": named("identifierParameterName", "resumableIdentifier", (_, f) => f.uniqueIdentifier),
  "option fileNameParameterName": named("fileNameParameterName", "resumableFilename", "näme.txt"),
  "option relativePathParameterName": named("relativePathParameterName", "resumableRelativePath", "näme.txt"),
  "option totalChunksParameterName": named("totalChunksParameterName", "resumableTotalChunks", 2),
  "option query": async () => {
    defaults("query", {});
    await whole(make({ query: { upload_token: "a b", n: 1, none: undefined, resumableType: "mine" } }), file());
    for (const s of sent) {
      assert.equal(s.query.get("upload_token"), "a b");
      assert.equal(s.query.get("n"), "1");
      assert.equal(s.query.get("resumableType"), "mine");
      assert.ok(!s.query.has("none"));
    }
    const seen = new Set();
    const r = make({ chunkSize, query: async (f, c) => (seen.add(c?.offset), { id: f.uniqueIdentifier, chunk: c ? c.offset : "" }) });
    sent = [];
    await whole(r, file(size));
    assert.deepEqual(seen, new Set([undefined, 0, 1]));
    for (const s of chunks()) assert.equal(s.query.get("chunk"), String(s.query.get("resumableChunkNumber") - 1));
    const late = make();
    late.opts.query.later = "yes"; // as old pages do
    sent = [];
    await whole(late, file());
    assert.equal(sent[0].query.get("later"), "yes");
  },
  "option headers": async () => {
    defaults("headers", {});
    await whole(make({ headers: { "X-One": "1" } }), file());
    assert.ok(sent.every((s) => s.headers["X-One"] === "1"));
    sent = [];
    await whole(make({ chunkSize, headers: async (f, c) => ({ "X-Name": f.fileName, "X-Chunk": String(c?.offset) }) }), file(size, "n.txt"));
    assert.ok(sent.every((s) => s.headers["X-Name"] === "n.txt"));
    assert.deepEqual(new Set(sent.map((s) => s.headers["X-Chunk"])), new Set(["undefined", "0", "1"]));
  },
  "option parameterNamespace": async () => {
    defaults("parameterNamespace", "");
    await whole(make({ parameterNamespace: "up_", query: { a: 1 } }), file());
    const names = [...sent[0].query.keys()];
    assert.ok(names.includes("up_a") && names.includes("up_resumableIdentifier") && names.every((n) => n.startsWith("up_")), names);
  },
  "option testMethod": async () => defaults("testMethod", "GET"),
  "option uploadMethod": async () => {
    defaults("uploadMethod", "POST");
    const f = file();
    await same(await whole(make({ uploadMethod: "PATCH", testMethod: "HEAD" }), f), f);
  },
  "option method": async () => {
    defaults("method", "multipart");
    const f = file();
    await same(await whole(make({ method: "octet" }), f), f);
  },
  "option chunkFormat": async () => {
    defaults("chunkFormat", "blob");
    const f = file();
    await same(await whole(make({ chunkFormat: "base64" }), f), f);
  },
  "option prioritizeFirstAndLastChunk": async () => {
    defaults("prioritizeFirstAndLastChunk", false);
    const files = [file(55_000, "a"), file(55_000, "b"), file(55_000, "c")];
    const r = make({ chunkSize: 10_000, prioritizeFirstAndLastChunk: true, simultaneousUploads: 2 });
    await whole(r, ...files);
    const first = chunks().slice(0, 6).map((s) => `${s.path.at(-1)}${s.query.get("resumableChunkNumber")}`);
    assert.deepEqual(new Set(first), new Set(["a1", "a5", "b1", "b5", "c1", "c5"]));
    assert.equal(chunks().length, 15);
    sent = [];
    await whole(make({ chunkSize: 10_000, simultaneousUploads: 1 }), file(55_000));
    assert.deepEqual(chunks().map((s) => +s.query.get("resumableChunkNumber")), [1, 2, 3, 4, 5]);
  },
  "option testChunks": async () => {
    defaults("testChunks", true);
    const f = file(size);
    const options = { chunkSize, query: { upload_token: "again" } };
    const once = make({ ...options, simultaneousUploads: 1 });
    const { opened } = gate();
    answer = (s) => ranges().length > 1 && s.body && opened; // the second stays away
    await add(once, f);
    once.upload();
    await until(() => once.files[0].chunks[0].status() === "success");
    once.pause();
    answer = undefined;
    sent = [];
    const r = make(options);
    await same(await whole(r, f), f);
    assert.equal(questions().length, 1, "one question tells all");
    assert.deepEqual(ranges(), [[100_000, 249_999]], "what is here is not sent again");
    sent = [];
    const g = file(size);
    await same(await whole(make({ chunkSize, testChunks: false }), g), g);
    assert.equal(questions().length, 0);
  },
  "option preprocess": async () => {
    defaults("preprocess", null);
    const seen = [];
    const r = make({ chunkSize, simultaneousUploads: 1, preprocess: (c) => (seen.push(c.offset), setTimeout(() => c.preprocessFinished(), 20)) });
    await whole(r, file(size));
    assert.deepEqual(seen, [0, 1]);
    const never = make({ chunkSize, preprocess: () => {} });
    sent = [];
    await add(never, file(size));
    never.upload();
    await until(() => questions().length > 0);
    await new Promise((ok) => setTimeout(ok, 100)); // in which nothing may be sent
    assert.equal(chunks().length, 0);
    never.cancel();
  },
  "option preprocessFile": async () => {
    defaults("preprocessFile", null);
    let calls = 0;
    let early = 0;
    const r = make({ chunkSize, preprocessFile: (f) => (calls++, setTimeout(() => ((early = questions().length + chunks().length), f.preprocessFinished()), 20)) });
    await whole(r, file(size));
    assert.equal(calls, 1);
    assert.equal(early, 0, "something was sent before");
  },
  "option generateUniqueIdentifier": async () => {
    defaults("generateUniqueIdentifier", null);
    const f = file(20, "x.txt");
    for (const id of ["plain-1", "ünïcode / ../.. \n 日本", "a".repeat(2000)]) {
      const r = make({ generateUniqueIdentifier: async (given, e) => (assert.equal(given, f), assert.equal(e, undefined), id) });
      sent = [];
      const [added] = await add(r, f);
      assert.equal(added.uniqueIdentifier, id);
      r.upload();
      await event(r, "complete");
      assert.equal(sent[0].query.get("resumableIdentifier"), id);
    }
    const r = make();
    const [a] = await add(r, file(20, "one.txt"));
    assert.match(a.uniqueIdentifier, /^[\w-]+$/);
    const [b, c] = await add(r, file(20, "日"), file(20, "本"));
    assert.notEqual(b.uniqueIdentifier, c.uniqueIdentifier);
  },
  "option maxFiles": async () => {
    defaults("maxFiles", undefined);
    const r = make({ maxFiles: 2 });
    alarms.length = 0;
    await add(r, file(), file());
    const [added, skipped] = await (() => {
      const e = event(r, "filesAdded");
      r.addFile(file(10, "third"));
      return e;
    })();
    assert.deepEqual([added.length, skipped.map((f) => f.name)], [0, ["third"]]);
    assert.deepEqual(alarms, ["Please choose no more than 2 files at a time."]);
    const one = make({ maxFiles: 1 });
    await add(one, file(10, "old"));
    await add(one, file(10, "new"));
    assert.deepEqual(one.files.map((f) => f.fileName), ["new"]);
    one.addFiles([file(), file()]);
    await until(() => alarms.includes("Please choose no more than one file at a time."));
  },
  "option maxFilesErrorCallback": async () => {
    const got = [];
    const r = make({ maxFiles: 1, maxFilesErrorCallback: (files, n) => got.push([files.map((f) => f.name), n]) });
    alarms.length = 0;
    r.addFiles([file(10, "a"), file(10, "b")]);
    r.addFiles([file(10, "c"), file(10, "d")]);
    await until(() => got.length === 2);
    assert.deepEqual(got, [[["a", "b"], 0], [["c", "d"], 1]]);
    assert.equal(alarms.length, 0);
  },
  "option minFileSize": async () => {
    defaults("minFileSize", 1);
    alarms.length = 0;
    const r = make();
    await add(r, file(0, "nothing"));
    assert.equal(r.files.length, 0);
    assert.match(alarms[0], /^nothing is too small/);
    for (const minFileSize of [0, undefined]) {
      const f = file(0, `empty${minFileSize}`);
      const result = await whole(make({ minFileSize }), f);
      assert.equal(result.size, 0);
      assert.equal(sent.at(-1).query.get("resumableCurrentChunkSize"), "0");
    }
  },
  "option minFileSizeErrorCallback": async () => {
    const got = [];
    await add(make({ minFileSize: 5, minFileSizeErrorCallback: (f, n) => got.push([f.name, n]) }), file(4, "a"), file(5, "b"));
    assert.deepEqual(got, [["a", 0]]);
  },
  "option maxFileSize": async () => {
    defaults("maxFileSize", undefined);
    alarms.length = 0;
    const r = make({ maxFileSize: 1024 });
    await add(r, file(1024), file(1025, "large"));
    assert.equal(r.files.length, 1);
    assert.equal(alarms[0], "large is too large: a file has at most 1 KiB here.");
  },
  "option maxFileSizeErrorCallback": async () => {
    const got = [];
    await add(make({ maxFileSize: 5, maxFileSizeErrorCallback: (f, n) => got.push([f.name, n]) }), file(6, "a"), file(5, "b"));
    assert.deepEqual(got, [["a", 0]]);
  },
  "option fileType": async () => {
    defaults("fileType", []);
    alarms.length = 0;
    const r = make({ fileType: ["JPG", ".tar.gz", "video/*", "text/plain"] });
    const files = [
      file(1, "a.jpg"), file(1, "b.tar.gz"), file(1, "c", { type: "video/mp4" }), file(1, "d", { type: "text/plain" }),
      file(1, "e.png"), file(1, "jpg"), file(1, "g.mp4"), file(1, "h.gz"),
    ];
    assert.deepEqual((await add(r, ...files)).map((f) => f.fileName), ["a.jpg", "b.tar.gz", "c", "d"]);
    assert.equal(alarms.length, 4);
    assert.match(alarms[0], /^e.png is of a type/);
  },
  "option fileTypes": async () => assert.equal((await add(make({ fileTypes: ["a"] }), file(1, "x.a"), file(1, "x.b"))).length, 1),
  "option fileTypeErrorCallback": async () => {
    const got = [];
    await add(make({ fileType: ["b"], fileTypeErrorCallback: (f, n) => got.push([f.name, n]) }), file(4, "x.a"), file(5, "x.b"));
    assert.deepEqual(got, [["x.a", 0]]);
  },
  "option maxChunkRetries": async () => {
    defaults("maxChunkRetries", undefined);
    answer = (s) => s.body && new Response("", { status: 503 });
    const r = make({ maxChunkRetries: 2, chunkRetryInterval: 5 });
    let retries = 0;
    r.on("fileRetry", () => retries++);
    await add(r, file());
    r.upload();
    await event(r, "fileError");
    assert.equal(retries, 2);
  },
  "option permanentErrors": async () => {
    defaults("permanentErrors", [400, 401, 403, 404, 409, 415, 500, 501]);
    answer = (s) => s.body && new Response("", { status: 507 });
    const r = make({ permanentErrors: [507] });
    await add(r, file());
    r.upload();
    const [f] = await event(r, "fileError");
    assert.equal(f.fileName, r.files[0].fileName);
    let times = 0;
    answer = (s) => s.body && times++ < 2 && new Response("", { status: 500 }); // passes, unless the page says otherwise
    await whole(make({ chunkRetryInterval: 5 }), file());
  },
  "option chunkRetryInterval": async () => {
    defaults("chunkRetryInterval", undefined);
    let times = 0;
    answer = (s) => s.body && times++ < 8 && new Response("", { status: 503 });
    const began = performance.now();
    await whole(make({ chunkRetryInterval: 20 }), file());
    assert.ok(performance.now() - began < 5000, "the waits became longer"); // doubled each time it were 30 s
  },
  "option withCredentials": async () => {
    defaults("withCredentials", false);
    await whole(make(), file());
    await whole(make({ withCredentials: true }), file());
    assert.deepEqual([sent[0].credentials, sent.at(-1).credentials], ["same-origin", "include"]);
  },
  "option xhrTimeout": async () => {
    defaults("xhrTimeout", 0);
    let times = 0;
    answer = (s) => s.body && !times++ && new Promise(() => {});
    const r = make({ xhrTimeout: 100 });
    await whole(r, file());
    assert.equal(times, 2);
  },
  "option setChunkTypeFromFile": async () => {
    defaults("setChunkTypeFromFile", false);
    const result = await whole(make({ setChunkTypeFromFile: true }), file(9, "a", { type: "text/css" }));
    assert.equal(result.type, "text/css");
  },
  "option dragOverClass": async () => {
    defaults("dragOverClass", "dragover");
    assert.equal(make({ dragOver: "x" }).opts.dragOverClass, "x"); // what it does, the play shows
  },
  "option throttleProgressCallbacks": async () => {
    defaults("throttleProgressCallbacks", 0.5);
    let calls = 0;
    const r = make({ chunkSize: 1000, simultaneousUploads: 1, throttleProgressCallbacks: 3600 });
    r.on("fileProgress", () => calls++);
    await whole(r, file(size));
    assert.ok(calls <= 2, `${calls} events`);
  },
  "option clearInput": async () => defaults("clearInput", true), // what it does, the play shows

  "property support": async () => {
    assert.equal(new Resumable().support, true);
    assert.equal(Resumable.support, true);
    assert.equal(Default, Resumable);
    assert.equal(Resumable().support, true); // without new
    const { AbortController } = globalThis;
    delete globalThis.AbortController;
    try {
      assert.equal(new Resumable().support, false);
    } finally {
      globalThis.AbortController = AbortController;
    }
  },
  "property opts": async () => assert.equal(new Resumable({ chunkSize: 7 }).opts.chunkSize, 7),
  "property files": async () => {
    const r = make();
    await add(r, file(1, "a"), file(1, "b"));
    assert.deepEqual(r.files.map((f) => f.fileName), ["a", "b"]);
  },

  "method assignBrowse": async () => make().assignBrowse([]), // what it does, the play shows
  "method assignDrop": async () => make().assignDrop([]),
  "method on": async () => {
    const r = make();
    let n = 0;
    r.on("FILEADDED", () => n++);
    r.on("fileadded", () => n++);
    r.on("fileAdded", () => n++);
    await add(r, file());
    assert.equal(n, 3);
  },
  "method upload": async () => {
    const r = make();
    await add(r, file());
    assert.equal(sent.length, 0);
    const over = event(r, "complete");
    r.upload();
    r.upload();
    await over;
    await add(r, file());
    await new Promise((ok) => setTimeout(ok, 50)); // in which nothing may be sent
    assert.equal(r.files[1].progress(), 0, "what is added later waits");
    const again = event(r, "complete");
    r.upload();
    await again;
    assert.equal(r.progress(), 1);
    const quick = make();
    quick.addFile(file());
    quick.upload(); // before the file is in the list
    await event(quick, "complete");
  },
  "method pause": async () => {
    const { opened, open } = gate();
    answer = (s) => s.body && ranges().length > 1 && opened.then(() => undefined);
    const r = make({ chunkSize, simultaneousUploads: 1 });
    const f = file(size);
    await add(r, f);
    r.upload();
    await until(() => r.files[0].chunks[1].status() === "uploading");
    r.pause();
    assert.equal(r.isUploading(), false);
    answer = undefined;
    const before = sent.length;
    await new Promise((ok) => setTimeout(ok, 100)); // in which nothing may be sent
    assert.equal(sent.length, before);
    const ended = event(r, "fileSuccess");
    r.upload();
    const [, message] = await ended;
    open();
    await same(JSON.parse(message), f);
  },
  "method cancel": async () => {
    const r = make({ chunkSize, simultaneousUploads: 1 });
    const over = [];
    r.on("catchAll", (name) => over.push(name));
    const { opened } = gate();
    answer = (s) => s.body && ranges().length > 1 && opened;
    await add(r, file(size), file());
    r.upload();
    await until(() => r.files[0].chunks[0].status() === "success");
    answer = undefined;
    r.cancel();
    assert.equal(r.files.length, 0);
    assert.deepEqual(over.slice(-2), ["beforeCancel", "cancel"]);
    await until(() => sent.some((s) => s.method === "DELETE"));
    assert.ok(!over.includes("complete"));
  },
  "method progress": async () => {
    const r = make({ chunkSize, simultaneousUploads: 1 });
    assert.equal(r.progress(), 0);
    await add(r, file(size), file(size));
    r.files[1].pause();
    const half = event(r, "fileSuccess");
    r.upload();
    await half;
    assert.equal(r.progress(), 0.5);
    r.cancel();
  },
  "method isUploading": async () => {
    const r = make();
    await add(r, file());
    assert.equal(r.isUploading(), false);
    const over = event(r, "complete");
    r.upload();
    assert.equal(r.isUploading(), true);
    await over;
    assert.equal(r.isUploading(), false);
  },
  "method addFile": async () => {
    const r = make();
    const origin = { type: "mine" };
    const added = event(r, "fileAdded");
    r.addFile(file(1, "a"), origin);
    const [f, e] = await added;
    assert.equal(f.fileName, "a");
    assert.equal(e, origin);
  },
  "method addFiles": async () => assert.equal((await add(make(), file(), file(), file())).length, 3),
  "method removeFile": async () => {
    const r = make();
    const [a, b] = await add(r, file(1, "a"), file(1, "b"));
    r.removeFile(a);
    assert.deepEqual(r.files, [b]);
    await whole(r);
    r.removeFile(b);
    assert.deepEqual(r.files, []);
  },
  "method getFromUniqueIdentifier": async () => {
    const r = make();
    const [f] = await add(r, file());
    assert.equal(r.getFromUniqueIdentifier(f.uniqueIdentifier), f);
    assert.ok(!r.getFromUniqueIdentifier("none"));
  },
  "method getSize": async () => {
    const r = make();
    await add(r, file(11), file(31));
    assert.equal(r.getSize(), 42);
  },
  "method updateQuery": async () => {
    const r = make();
    r.updateQuery({ x: "y" });
    await whole(r, file());
    assert.equal(sent[0].query.get("x"), "y");
  },
  "method getOpt": async () => assert.equal(make({ chunkSize: 5 }).getOpt("chunkSize"), 5),

  "event fileSuccess": async () => {
    const r = make();
    const f = file();
    const got = event(r, "fileSuccess");
    await whole(r, f);
    const [of, message] = await got;
    assert.equal(of, r.files[0]);
    await same(JSON.parse(message), f);
  },
  "event fileProgress": async () => {
    const r = make({ chunkSize: 1000, throttleProgressCallbacks: 0 });
    const seen = [];
    r.on("fileProgress", (f) => seen.push(f.progress()));
    const { opened, open } = gate();
    answer = (s) => s.body && ranges().length > 100 && opened.then(() => undefined);
    const end = whole(r, file(size));
    await until(() => seen.some((p) => p > 0 && p < 1));
    open();
    await end;
    assert.equal(seen.at(-1), 1);
  },
  "event fileAdded": async () => {
    const r = make();
    const got = event(r, "fileAdded");
    const [f] = await add(r, file());
    assert.equal((await got)[0], f);
  },
  "event filesAdded": async () => {
    const r = make({ maxFileSize: 5, maxFileSizeErrorCallback: () => {} });
    const got = event(r, "filesAdded");
    const same = file(1, "b");
    r.addFiles([file(1, "a"), file(9, "large"), same, same]);
    const [added, skipped] = await got;
    assert.deepEqual([added.map((f) => f.fileName), skipped.map((f) => f.name)], [["a", "b"], ["large", "b"]]);
  },
  "event fileRetry": async () => {
    let times = 0;
    answer = (s) => s.body && !times++ && new Response("", { status: 503 });
    const r = make();
    const got = event(r, "fileRetry");
    await whole(r, file());
    assert.equal((await got)[0], r.files[0]);
  },
  "event fileError": async () => {
    answer = (s) => s.body && new Response(JSON.stringify({ detail: "no films" }), { status: 403, headers: { "Content-Type": "application/problem+json" } });
    const r = make();
    await add(r, file());
    const got = event(r, "fileError");
    const all = event(r, "error");
    const over = event(r, "complete");
    r.upload();
    const [f, message] = await got;
    assert.equal(f, r.files[0]);
    assert.match(message, /no films/);
    assert.deepEqual(await all, [message, f]);
    await over;
    assert.equal(f.chunks[0].status(), "error");
  },
  "event uploadStart": async () => {
    const r = make();
    let n = 0;
    r.on("uploadStart", () => n++);
    await whole(r, file());
    assert.equal(n, 1);
  },
  "event complete": async () => {
    const r = make();
    let n = 0;
    r.on("complete", () => (n++, assert.equal(r.isUploading(), false)));
    await whole(r, file(), file());
    assert.equal(n, 1);
  },
  "event progress": async () => {
    const r = make();
    const got = event(r, "progress");
    await whole(r, file());
    assert.deepEqual(await got, []);
  },
  "event error": () => tests["event fileError"](),
  "event pause": async () => {
    const r = make();
    let n = 0;
    r.on("pause", () => n++);
    r.upload();
    r.pause();
    r.pause();
    assert.equal(n, 2);
  },
  "event beforeCancel": async () => {
    const r = make();
    await add(r, file());
    let there = 0;
    r.on("beforeCancel", () => (there = r.files.length));
    r.cancel();
    assert.equal(there, 1);
  },
  "event cancel": async () => {
    const r = make();
    await add(r, file());
    let there = 1;
    r.on("cancel", () => (there = r.files.length));
    r.cancel();
    assert.equal(there, 0);
  },
  "event chunkingStart": async () => {
    const r = make();
    const got = event(r, "chunkingStart");
    const [f] = await add(r, file());
    assert.equal((await got)[0], f);
  },
  "event chunkingProgress": async () => {
    const r = make();
    const got = event(r, "chunkingProgress");
    const [f] = await add(r, file());
    assert.deepEqual(await got, [f, 1]);
  },
  "event chunkingComplete": async () => {
    const r = make();
    const got = event(r, "chunkingComplete");
    const [f] = await add(r, file());
    assert.deepEqual(await got, [f]);
    assert.equal(f.chunks.length, 1);
  },
  "event catchAll": async () => {
    const r = make();
    const seen = [];
    r.on("catchAll", (name, ...args) => seen.push([name, args.length]));
    await whole(r, file());
    const names = seen.map(([name]) => name);
    for (const name of ["chunkingStart", "fileAdded", "filesAdded", "uploadStart", "fileProgress", "progress", "fileSuccess", "complete"]) {
      assert.ok(names.includes(name), name);
    }
    assert.deepEqual(seen.find(([name]) => name === "fileSuccess"), ["fileSuccess", 2]);
  },

  "file resumableObj": async () => {
    const r = make();
    assert.equal((await add(r, file()))[0].resumableObj, r);
  },
  "file file": async () => {
    const f = file();
    assert.equal((await add(make(), f))[0].file, f);
  },
  "file fileName": async () => assert.equal((await add(make(), file(1, "grüße.txt")))[0].fileName, "grüße.txt"),
  "file relativePath": async () => {
    const f = file(5, "c.txt");
    Object.defineProperty(f, "webkitRelativePath", { value: "a/b/c.txt" });
    const r = make();
    const [added] = await add(r, f);
    assert.equal(added.relativePath, "a/b/c.txt");
    await whole(r);
    assert.equal(sent[0].query.get("resumableRelativePath"), "a/b/c.txt");
    assert.equal((await add(r, file(5, "d.txt")))[0].relativePath, "d.txt");
  },
  "file size": async () => assert.equal((await add(make(), file(77)))[0].size, 77),
  "file uniqueIdentifier": async () => {
    const [f, g] = [file(9, "same"), file(9, "same")];
    const id = async (f) => (await add(make(), f))[0].uniqueIdentifier;
    assert.equal(await id(f), await id(f)); // today and tomorrow
    assert.notEqual(await id(f), await id(g)); // of another date
  },
  "file chunks": async () => {
    const r = make({ chunkSize, simultaneousUploads: 1 });
    const [f] = await add(r, file(size));
    assert.deepEqual(f.chunks.map((c) => [c.offset, c.startByte, c.endByte, c.fileObj === f, c.status(), c.progress()]),
      [[0, 0, 100_000, true, "pending", 0], [1, 100_000, 250_000, true, "pending", 0]]);
    const { opened, open } = gate();
    answer = (s) => s.body && ranges().length > 1 && opened.then(() => undefined);
    const end = event(r, "complete");
    r.upload();
    await until(() => f.chunks[1].status() === "uploading");
    assert.equal(f.chunks[0].status(), "success");
    assert.equal(f.chunks[0].progress(true), 0.4);
    open();
    await end;
    assert.deepEqual(f.chunks.map((c) => [c.status(), c.progress()]), [["success", 1], ["success", 1]]);
  },
  "file progress": async () => {
    const r = make();
    const [f, g] = await add(r, file(300), file(700));
    assert.equal(f.progress(), 0);
    await whole(r);
    assert.deepEqual([f.progress(), f.progress(true), g.progress(true)], [1, 0.3, 0.7]);
  },
  "file abort": async () => {
    const { opened, open } = gate();
    answer = (s) => s.body && opened.then(() => undefined);
    const r = make();
    const [f] = await add(r, file());
    r.upload();
    await until(() => now > 0);
    f.abort();
    assert.equal(f.isUploading(), false);
    answer = undefined;
    open();
    const end = event(r, "fileSuccess");
    r.upload(); // goes on
    await end;
  },
  "file cancel": async () => {
    const r = make({ chunkSize, simultaneousUploads: 1 });
    const [f, g] = await add(r, file(size), file());
    const { opened } = gate();
    answer = (s) => s.body && ranges().length > 1 && opened;
    r.upload();
    await until(() => f.chunks[0].status() === "success");
    answer = undefined;
    f.cancel();
    assert.deepEqual(r.files, [g]);
    await until(() => sent.some((s) => s.method === "DELETE"));
  },
  "file retry": async () => {
    answer = (s) => s.body && new Response("{}", { status: 403, headers: { "Content-Type": "application/problem+json" } });
    const r = make();
    const [f] = await add(r, file());
    r.upload();
    await event(r, "fileError");
    answer = undefined;
    const end = event(r, "fileSuccess");
    f.retry();
    await end;
  },
  "file bootstrap": async () => {
    const { opened, open } = gate();
    answer = (s) => s.body && ranges().length > 1 && opened.then(() => undefined);
    const r = make({ chunkSize, simultaneousUploads: 1 });
    const given = file(size);
    const [f] = await add(r, given);
    const end = event(r, "fileSuccess");
    r.upload();
    await until(() => f.chunks[1].status() === "uploading");
    const before = f.chunks;
    answer = undefined;
    f.bootstrap();
    assert.notEqual(f.chunks, before);
    assert.equal(f.chunks.length, 2);
    open();
    const [, message] = await end;
    await same(JSON.parse(message), given);
    assert.ok(questions().length >= 2, "nobody was asked again");
  },
  "file pause": async () => {
    const r = make();
    const [f] = await add(r, file());
    f.pause();
    assert.equal(f.isPaused(), true);
    r.upload();
    await new Promise((ok) => setTimeout(ok, 50)); // in which nothing may be sent
    assert.equal(sent.length, 0);
    const end = event(r, "complete");
    f.pause(false);
    await end;
  },
  "file isUploading": async () => {
    const r = make();
    const [f] = await add(r, file());
    assert.equal(f.isUploading(), false);
    const end = event(r, "complete");
    r.upload();
    assert.equal(f.isUploading(), true);
    await end;
    assert.equal(f.isUploading(), false);
  },
  "file isComplete": async () => {
    const r = make();
    const [f] = await add(r, file());
    assert.equal(f.isComplete(), false);
    await whole(r);
    assert.equal(f.isComplete(), true);
  },
};

for (const [name, test] of Object.entries(tests)) {
  if (only && name !== only) continue;
  sent = [];
  answer = undefined;
  let error = "";
  const late = new Promise((_, no) => setTimeout(no, 2 * patience, new Error("it does not end")).unref());
  await Promise.race([test(), late]).catch((e) => (error = String(e.stack ?? e)));
  console.log(JSON.stringify({ name, error }));
  answer = undefined;
  for (const r of made.splice(0)) r.cancel();
}
process.exit(0);
