import type { Uploader, UploadItem } from "../types.js";
import { Live, quarter } from "./live.js";
import { files, percent } from "./words.js";

/**
 * speak tells in a live region how the uploads of one uploader go: the start,
 * a quarter, a half, three quarters, the end, and each thing that needs the
 * person. Files are told one by one only while they are few.
 */
export function speak(uploader: Uploader, live: Live): void {
  const few = 3;
  let mark = -1;
  const one = () => (uploader.files.length === 1 ? uploader.files[0]!.name : files(uploader.files.length));
  uploader.on("filesAdded", (items) => {
    if (!items.length) return;
    mark = 0;
    live.say("all", items.length === 1 ? `${items[0]!.name} is being sent.` : `${files(items.length)} are being sent.`);
  });
  uploader.on("progress", (stats) => {
    const now = quarter(stats.progress);
    if (now < mark) mark = now; // files were added
    if (now <= mark || stats.done === stats.files) return;
    mark = now;
    live.say("all", `${one()}: ${percent(now / 100)}.`);
  });
  uploader.on("fileState", (item, before) => {
    if (item.state === "uploading" && before === "checking" && item.resumedAt > 0 && uploader.files.length <= few) {
      live.say("resumed", `${item.name} continues at ${percent(item.resumedAt / item.size)}.`);
    }
    if (item.state === "waiting" && item.waitingFor !== "retry") waits(item);
  });
  uploader.on("fileSuccess", (item) => {
    if (uploader.files.length > 1 && uploader.files.length <= few)
      live.say("done " + item.key, `${item.name} is done.`);
  });
  uploader.on("fileError", (item, error) =>
    live.say("failed " + item.key, `${item.name}: ${error.what} ${error.todo}`),
  );
  uploader.on("fileRetry", (item, error) => {
    // Of many that fail alike, and of one that fails often, one word is enough.
    if (item.failures <= 1 && item.waitingFor === "retry")
      live.say("retry", `${error.what} It is tried again by itself.`);
  });
  uploader.on("complete", () => {
    const { files: all, done, failed } = uploader.stats();
    mark = -1;
    if (failed) live.say("all", `${files(done)} of ${all} arrived, ${failed} did not.`);
    else if (all === 1) live.say("all", `${one()} is done.`);
    else if (all) live.say("all", `All ${files(all)} are done.`);
  });
  function waits(item: UploadItem) {
    live.say(
      "wait",
      item.waitingFor === "offline" ? "You are offline. It continues by itself." : `Another tab sends ${item.name}.`,
    );
  }
}
