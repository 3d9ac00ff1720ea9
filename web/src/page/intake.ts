import { dropped, opened, picked, type Found, type Walk } from "../box/walk.js";
import { get } from "./dom.js";

/** Takes what was found, in portions; resolves when the portion is in the list. */
export type Take = (found: Found[], same: boolean) => Promise<void>;

type Pickers = {
  showOpenFilePicker?(o: { multiple: boolean }): Promise<FileSystemFileHandle[]>;
  showDirectoryPicker?(): Promise<FileSystemDirectoryHandle>;
};

/**
 * intake lets people hand files to the page: buttons, dropping anywhere,
 * pasting. tell is called with what is worth a sentence.
 */
export function intake(take: Take, tell: (sentence: string) => void): void {
  const pickers = window as Pickers;
  const inFiles = get<HTMLInputElement>("in-files");
  const inFolder = get<HTMLInputElement>("in-folder");
  const inSame = get<HTMLInputElement>("in-same");

  async function walk(w: Walk): Promise<void> {
    for await (const found of w.found) await take(found, false);
    if (w.empty.length)
      tell(
        `${w.empty.length === 1 ? `The folder ${w.empty[0]} is` : `${w.empty.length} folders are`} empty and not sent.`,
      );
    if (w.unreadable.length)
      tell(
        `${w.unreadable.slice(0, 3).join(", ")} cannot be read and ${w.unreadable.length === 1 ? "is" : "are"} not sent.`,
      );
  }

  // Pickers that give handles let an upload go on after a reload without asking.
  get("pick-files").addEventListener("click", () => {
    if (!pickers.showOpenFilePicker) return inFiles.click();
    pickers.showOpenFilePicker({ multiple: true }).then(
      (h) => walk(opened(h)),
      (e: Error) => e.name === "AbortError" || inFiles.click(),
    );
  });
  get("pick-folder").addEventListener("click", () => {
    if (!pickers.showDirectoryPicker) return inFolder.click();
    pickers.showDirectoryPicker().then(
      (h) => walk(opened([h])),
      (e: Error) => e.name === "AbortError" || inFolder.click(),
    );
  });
  // Phones have no folders to choose.
  get("pick-folder").hidden =
    !("webkitdirectory" in inFolder) || matchMedia("(pointer: coarse) and (hover: none)").matches;

  for (const input of [inFiles, inFolder, inSame]) {
    input.addEventListener("change", () => {
      const found = picked(input.files!);
      input.value = ""; // so that the same file can be chosen again
      void take(found, input === inSame);
    });
  }

  let depth = 0;
  const over = (yes: boolean) => document.documentElement.classList.toggle("over", yes);
  const brings = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (e) => {
    if (!brings(e)) return;
    e.preventDefault();
    depth++;
    over(true);
  });
  addEventListener("dragleave", (e) => {
    if (brings(e) && --depth <= 0) over(false);
  });
  addEventListener("dragover", (e) => {
    if (!brings(e)) return;
    e.preventDefault();
    e.dataTransfer!.dropEffect = "copy";
  });
  addEventListener("drop", (e) => {
    if (!brings(e)) return;
    e.preventDefault();
    depth = 0;
    over(false);
    void walk(dropped(e.dataTransfer!));
  });
  addEventListener("paste", (e) => {
    const into = e.target as Element | null;
    if (!e.clipboardData?.files.length || into?.matches?.("input, textarea")) return;
    e.preventDefault();
    // A screenshot is always called image.png; with the time, several are told apart.
    const found = picked(e.clipboardData.files).map((f) => {
      if (f.file.name !== "image.png") return f;
      const name = `pasted ${new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".")}.png`;
      return { path: name, file: new File([f.file], name, { type: f.file.type, lastModified: f.file.lastModified }) };
    });
    void take(found, false);
  });
}
