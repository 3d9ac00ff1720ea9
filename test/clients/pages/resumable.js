import Resumable from "resumablejs";

const uploader = new Resumable({
  target: "/upload",
  chunkSize: 1024 * 1024,
  query: (file) => ({ lastModified: file.file.lastModified }),
  minFileSize: 0, // it refuses empty files otherwise
  maxChunkRetries: 1000,
  chunkRetryInterval: 1000, // it tries again at once otherwise
});
uploader.assignBrowse(document.querySelector("#files"));
uploader.on("fileAdded", () => uploader.upload());
uploader.on("fileSuccess", (file, answer) => done(JSON.parse(answer)));
uploader.on("fileError", (file, answer) => failed(answer));
