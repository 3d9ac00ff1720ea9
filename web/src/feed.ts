// The bytes of a stream, so many at once.

export class Feed {
  _reading = false;
  _reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  _rest = new Uint8Array();
  _stream: ReadableStream<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this._stream = stream;
  }

  /** Reads n bytes, or fewer at the end. */
  async _read(n: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(n);
    let at = 0;
    this._reader ??= this._stream.getReader();
    while (at < n) {
      if (!this._rest.length) {
        const { done, value } = await this._reader.read();
        if (done) break;
        this._rest = value as Uint8Array<ArrayBuffer>;
      }
      const part = this._rest.subarray(0, n - at);
      bytes.set(part, at);
      at += part.length;
      this._rest = this._rest.subarray(part.length);
    }
    return bytes.slice(0, at);
  }

  _cancel(): void {
    void this._reader?.cancel().catch(() => {});
  }
}
