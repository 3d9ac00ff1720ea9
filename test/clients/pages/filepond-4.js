import { create } from "filepond";

const pond = create(document.querySelector("#files"), {
  server: {
    url: "/upload",
    // By itself it tells the name late.
    process: { headers: (file) => ({ "Upload-Length": file.size, "Upload-Name": file.name }) },
  },
  chunkUploads: true,
  chunkSize: 1024 * 1024,
  chunkRetryDelays: [500, 1000, 2000, 4000, 8000, 16000, 32000],
});
pond.on("processfile", (error, file) => error ? failed(error.body) : done({ id: file.serverId }));
document.querySelector("#again").onclick = () => pond.processFiles();
