// The page from which the protocol is, in few lines: a piece is sent when the one
// before it is acknowledged, the last one is always empty or short, and success is
// listened for when that is acknowledged.
import { io } from "socket.io-client";

const [url, transports] = location.hash.slice(1).split(",", 2);
// It is away for so long that the test, which breaks the line more than once, has
// heard of it before it is back.
const socket = io(url, { transports: transports.split("+"), reconnectionDelay: 3000, reconnectionDelayMax: 3000 });
const answered = (name, what) => new Promise((ok) => socket.emit(name, what, ok));
const size = 10_240;

document.querySelector("#files").onchange = async (e) => {
  const file = e.target.files[0];
  const id = Array.from(crypto.getRandomValues(new Uint8Array(21)), (b) => (b % 36).toString(36)).join("");
  socket.on(`upload_error_${id}`, (why) => tell("failed", why));
  await answered("begin_upload", { sessionID: id, fileName: file.name });
  const count = Math.ceil(file.size / size);
  for (let i = 0; i <= count; i++) {
    if (file.name.startsWith("broken") && i % 5 === 3) {
      const broken = new Promise((ok) => socket.once("disconnect", ok));
      tell("waiting", String(i));
      await broken;
      tell("gone", String(i));
    }
    await answered(`upload_chunk_${id}`, { chunk: file.slice(i * size, (i + 1) * size), last: i === count });
  }
  socket.once(`upload_success_${id}`, () => tell("done", id));
};
