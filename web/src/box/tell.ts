import type { UploadItem } from "../types.js";
import { bytes, percent, rate, span } from "./words.js";

/** How an item is told to people, in one line. */
export function tell(item: UploadItem): string {
  const stats = item.stats();
  const size = bytes(Math.max(stats.size, 0));
  switch (item.state) {
    case "queued":
      return `Waits for its turn · ${size}`;
    case "checking":
      return `Looking what has arrived · ${size}`;
    case "uploading":
      return under(item);
    case "verifying":
      return `All is sent, the server checks it · ${size}`;
    case "paused":
      return `Paused at ${percent(stats.progress)} · ${size}`;
    case "waiting":
      return waits(item);
    case "done":
      if (item.result?.state === "held") return `Sent, and waits for its release · ${size}`;
      return item.already ? `Was here already · ${size}` : `Done · ${size}`;
    case "failed":
      return item.error ? `${item.error.what} ${item.error.todo}` : "It did not arrive.";
    default:
      return "Cancelled";
  }
}

function under(item: UploadItem): string {
  const { size, sent, progress, speed, eta } = item.stats();
  const parts = item.size < 0 ? [bytes(sent)] : [percent(progress), `${bytes(sent)} of ${bytes(size)}`];
  if (speed > 0) parts.push(rate(speed));
  if (eta !== undefined) parts.push(`${span(eta / 1000)} left`);
  return parts.join(" · ");
}

function waits(item: UploadItem): string {
  const at = percent(item.progress());
  switch (item.waitingFor) {
    case "offline":
      return `Waits for the network · ${at}`;
    case "tab":
      return "Another tab sends this file.";
  }
  const left = item.retryIn();
  const { what = "It was interrupted.", todo = "" } = item.error ?? {};
  if (left === undefined) return what;
  // That it goes on by itself is said by the countdown.
  return `Tries again in ${span(left / 1000)}. ${what} ${todo.replace("The upload goes on by itself.", "")}`.trim();
}

/** Deed is what the first button of a row does. */
export type Deed = "pause" | "resume" | "retry" | "link" | "none";

export function deed(item: UploadItem): Deed {
  switch (item.state) {
    case "queued":
    case "checking":
    case "uploading":
      return "pause";
    case "paused":
      return "resume";
    case "failed":
      return "retry";
    case "waiting":
      return item.waitingFor === "retry" ? "retry" : "pause";
    case "done":
      return item.result?.url ? "link" : "none";
  }
  return "none";
}

/** busy tells whether an item still has to do something by itself. */
export const busy = (item: UploadItem): boolean =>
  item.state === "checking" || item.state === "uploading" || item.state === "waiting" || item.state === "verifying";

/** link is where a finished file can be read, absolute. */
export const link = (item: UploadItem): string =>
  item.result?.url ? new URL(item.result.url, document.baseURI).href : "";
