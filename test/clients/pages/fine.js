import { FineUploaderBasic } from "fine-uploader/lib/core";

const uploader = new FineUploaderBasic({
  button: document.querySelector("#browse"),
  request: { endpoint: "/upload" },
  validation: { allowEmpty: true },
  chunking: { enabled: true, partSize: 1024 * 1024, concurrent: { enabled: true }, success: { endpoint: "/upload" } },
  retry: { enableAuto: true, maxAutoAttempts: 1000, autoAttemptDelay: 1 },
  resume: { enabled: true },
  deleteFile: { enabled: true, endpoint: "/form" },
  callbacks: {
    onComplete: (id, name, answer) => answer.success ? done(answer) : failed(answer.error),
  },
});
