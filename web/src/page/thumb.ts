import type { UploadItem } from "../types.js";

/** Small pictures of images, made here and kept for those that were seen last. */

const edge = 96; // pixels; they are shown at 44, on screens of double density
const most = 300; // are kept
const largest = 48 << 20; // bytes; decoding more costs more than a picture is worth

type Waiting = { item: UploadItem; then: (picture: HTMLCanvasElement) => void };

export class Thumbs {
  private made = new Map<UploadItem, HTMLCanvasElement | null>();
  private waiting: Waiting[] = [];
  private working = false;

  /** get calls back at once or later with a picture, or never. */
  get(item: UploadItem, then: (picture: HTMLCanvasElement) => void): void {
    if (typeof createImageBitmap !== "function" || !(item.file instanceof Blob)) return;
    if (!/^image\/(?!svg)/.test(item.type) || item.file.size > largest) return;
    const found = this.made.get(item);
    if (found) then(found);
    if (found !== undefined) return;
    this.waiting.push({ item, then });
    // Who scrolls by quickly wants those in sight, which came last.
    if (this.waiting.length > 24) this.waiting.shift();
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    for (let next = this.waiting.pop(); next; next = this.waiting.pop()) {
      const picture = this.made.get(next.item) ?? (await draw(next.item.file as Blob).catch(() => null));
      this.made.delete(next.item);
      this.made.set(next.item, picture);
      if (this.made.size > most) this.made.delete(this.made.keys().next().value!);
      if (picture) next.then(picture);
    }
    this.working = false;
  }
}

async function draw(file: Blob): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(file, { resizeWidth: edge, resizeQuality: "medium" });
  const canvas = document.createElement("canvas");
  canvas.width = edge;
  canvas.height = Math.min(bitmap.height, edge * 2);
  canvas.getContext("2d")!.drawImage(bitmap, 0, (canvas.height - bitmap.height) / 2);
  bitmap.close();
  return canvas;
}
