import createUploader from "@rpldy/uploader";
import { getChunkedEnhancer } from "@rpldy/chunked-sender";

const uploader = createUploader({
  destination: { url: "/upload" },
  enhancer: getChunkedEnhancer({ chunkSize: 1024 * 1024, parallel: 3, retries: 10 }),
});
uploader.on("FILE-FINISH", ({ uploadResponse: { results, data } }) => done(results ? results.at(-1).data : data));
uploader.on("FILE-ERROR", ({ uploadResponse }) => failed(JSON.stringify(uploadResponse)));
document.querySelector("#files").onchange = (event) => {
  for (const file of event.target.files) uploader.add(file, { params: { upload_id: crypto.randomUUID() } });
};
