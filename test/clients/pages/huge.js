import HugeUploader from "huge-uploader";

document.querySelector("#files").onchange = (event) => {
  for (const file of event.target.files) {
    const uploader = new HugeUploader({
      endpoint: "/upload",
      file,
      chunkSize: 1, // MB
      retries: 1000,
      delayBeforeRetry: 1, // s
      headers: { "content-disposition": `attachment; filename="${encodeURIComponent(file.name)}"` },
    });
    uploader.on("finish", (event) => done(JSON.parse(event.detail)));
    uploader.on("error", (event) => failed(String(event.detail)));
  }
};
