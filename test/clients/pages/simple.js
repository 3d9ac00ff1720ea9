import Uploader from "simple-uploader.js";

const uploader = new Uploader({
  target: "/upload",
  query: (file) => ({ lastModified: file.file.lastModified }),
  chunkSize: 1024 * 1024,
  maxChunkRetries: 1000, // it gives up at once otherwise
  chunkRetryInterval: 1000,
});
uploader.assignBrowse(document.querySelector("#files"));
uploader.on("filesSubmitted", () => uploader.upload());
uploader.on("fileSuccess", (root, file, answer) => done(JSON.parse(answer)));
uploader.on("fileError", (root, file, answer) => failed(answer));
