// XMLHttpRequest on top of Node's http, as far as the client uses it, so that
// its way through a browser can be tried against a hostile line.
import { request } from "node:http";

export class XMLHttpRequest {
  upload = {};
  status = 0;
  responseText = "";
  #headers = {};
  #answer = "";
  #request;

  open(method, url) {
    this.method = method;
    this.url = url;
  }
  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }
  getAllResponseHeaders() {
    return this.#answer;
  }

  send(body) {
    const headers = { ...this.#headers, "Content-Length": body?.length ?? 0 };
    const r = (this.#request = request(this.url, { method: this.method, headers, agent: false }));
    r.on("error", () => this.#end("onerror"));
    r.on("response", (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", () => this.#end("onerror"));
      answer.on("end", () => {
        if (!answer.complete) return this.#end("onerror");
        this.status = answer.statusCode;
        this.responseText = Buffer.concat(parts).toString();
        for (let i = 0; i < answer.rawHeaders.length; i += 2) {
          this.#answer += `${answer.rawHeaders[i].toLowerCase()}: ${answer.rawHeaders[i + 1]}\r\n`;
        }
        this.#end("onload");
      });
    });
    const slice = 32 << 10;
    const next = (at) => {
      if (at) this.upload.onprogress?.({ loaded: Math.min(at, body.length) });
      if (!this.#request) return;
      if (!body || at >= body.length) return void r.end();
      r.write(body.subarray(at, at + slice), (failed) => failed || next(at + slice));
    };
    next(0);
  }

  abort() {
    const r = this.#request;
    this.#end("onabort");
    r?.destroy();
  }

  /** Only the first of what happens counts. */
  #end(event) {
    if (!this.#request) return;
    this.#request = undefined;
    this[event]?.();
  }
}
