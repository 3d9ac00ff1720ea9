import { defineFilePond } from "filepond";
import { ChunkedUploadStore } from "filepond/extensions/chunked-upload-store.js";
import { locale } from "filepond/locales/en-gb.js";

// By itself it tells the name late, and cannot tell one beyond Latin-1.
const named = ({ url, options, entry }) => {
  const bytes = new TextEncoder().encode(entry.file.name);
  return { url, options: { ...options, headers: { ...options.headers, uploadName: String.fromCharCode(...bytes) } } };
};
const [pond] = defineFilePond({
  locale,
  extensions: [ChunkedUploadStore],
  ChunkedUploadStore: {
    url: "/upload",
    chunkSize: 1024 * 1024,
    retryDelays: [500, 1000, 2000, 4000, 8000, 16000, 32000],
    resolveRequest: { create: named, chunk: named },
    shouldStore: () => true,
  },
});
pond.addEventListener("entrieschange", (event) => {
  for (const { state, extensionState } of event.detail) {
    const { status } = extensionState.ChunkedUploadStore ?? {};
    if (status?.code === "STORE_COMPLETE") done({ id: state.value });
    if (status?.code === "STORE_ERROR") failed(String(status.values.error));
  }
});
