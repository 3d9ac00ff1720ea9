// A page whose person presses buttons, and may load it again.
import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";
import GoldenRetriever from "@uppy/golden-retriever";

const worker = location.search === "?worker"; // which keeps what is too large for the other place
if (worker) navigator.serviceWorker.register("/worker.js");

const companion = {
  companionEndpoint: location.origin, // version 6
  endpoint: location.origin, // version 5
};
const signer = {
  signRequest: async (request) => (await fetch("/sign", { method: "POST", body: JSON.stringify(request) })).json(),
};
const uppy = new Uppy({ autoProceed: true })
  .use(AwsS3, {
    ...(location.search === "?signer" ? signer : companion),
    shouldUseMultipart: (file) => file.size > 1024 * 1024,
  })
  .use(GoldenRetriever, worker ? { serviceWorker: true } : { indexedDB: { maxFileSize: 64 * 1024 * 1024 } });
uppy.on("upload-success", (file, { uploadURL }) => done({ url: uploadURL }));
uppy.on("upload-error", (file, error) => failed(error.message));
uppy.on("restored", () => tell("restored", uppy.getFiles().map((file) => `${file.name}, ${file.data?.size}`)));
const press = {
  pauseAll: () => uppy.pauseAll(),
  resumeAll: () => uppy.resumeAll(),
  cancelAll: () => uppy.cancelAll(),
  restore: () => uppy.emit("restore-confirmed"),
};
for (const word in press) {
  const button = document.createElement("button");
  button.id = word;
  button.onclick = press[word];
  document.body.append(button);
}
document.querySelector("#files").onchange = (event) => {
  for (const file of event.target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
};

// kept tells whether all is stored that a reload needs: of which upload the file
// is, and its bytes.
window.kept = async () => {
  const [file] = uppy.getFiles();
  const [snapshot, copy] = await Promise.all([stored("metadata", uppy.getID()), stored("files", `${uppy.getID()}!${file.id}`)]);
  const said = snapshot?.metadata ?? localStorage.getItem(`uppyState:${uppy.getID()}`) ?? ""; // version 6, 5
  const bytes = worker ? (await served())[file.id] : copy?.data;
  return said.includes(file.s3Multipart?.uploadId ?? "?") && bytes?.size === file.size;
};

const result = (request) => new Promise((ok, not) => { request.onsuccess = () => ok(request.result); request.onerror = not; });

/** stored is what Golden Retriever has in its database, by its own names. */
async function stored(store, key) {
  const db = await result(indexedDB.open("uppy-blobs"));
  try {
    return db.objectStoreNames.contains(store) ? await result(db.transaction(store).objectStore(store).get(key)) : undefined;
  } finally {
    db.close();
  }
}

/** served are the files that the service worker has. */
async function served() {
  const files = new Promise((ok) => navigator.serviceWorker.addEventListener("message", ({ data }) => ok(data.files), { once: true }));
  navigator.serviceWorker.controller.postMessage({ type: "uppy/GET_FILES", store: uppy.getID() });
  return files;
}
