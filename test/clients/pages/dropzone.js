import Dropzone from "dropzone";

Dropzone.autoDiscover = false; // version 5 takes up every form otherwise
const dropzone = new Dropzone("#drop", {
  url: "/upload",
  chunking: true,
  chunkSize: 1024 * 1024,
  retryChunks: true,
  maxFilesize: null, // 256 MiB otherwise
});
dropzone.on("success", (file, answer) => done(answer ?? JSON.parse(file.xhr.response)));
dropzone.on("error", (file, message) => failed(message));
document.querySelector("#again").onclick = () => {
  for (const file of dropzone.getFilesWithStatus(Dropzone.ERROR)) {
    file.status = Dropzone.QUEUED;
    dropzone.processFile(file);
  }
};
