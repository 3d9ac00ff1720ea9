import Flow from "@flowjs/flow.js";

const flow = new Flow({
  target: "/upload",
  query: (file) => ({ lastModified: file.file.lastModified }),
  chunkSize: 1024 * 1024,
  maxChunkRetries: 1000, // it gives up at once otherwise
  chunkRetryInterval: 1000,
});
flow.assignBrowse(document.querySelector("#files"));
flow.on("filesSubmitted", () => flow.upload());
flow.on("fileSuccess", (file, answer) => done(JSON.parse(answer)));
flow.on("fileError", (file, answer) => failed(answer));
