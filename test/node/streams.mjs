// Uploads with socket.io-client as it comes from npm. The jobs are read from
// standard input as a JSON list; they run at once. What happens is told in lines
// of JSON:
//   {job, event: "acknowledged", accepted}  so many bytes were acknowledged
//   {job, event: "waiting"}                 it waits for the line to break
//   {job, event: "gone"}                    which it did
//   {job, event: "done"}                    success was heard
//   {job, event: "failed", message}         upload_error, or worse
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const library = async (version) => (await import(`socket.io-client-${version}`)).default

/** The chunks of the page that this protocol is from: the last one is always empty or short. */
const usual = 10_240

// A client is away for so long that the test, which breaks the line more than
// once, has heard of it before it is back.
function connect(io, job) {
  return io(job.url, { transports: job.transports, forceNew: true, reconnectionDelay: 300, reconnectionDelayMax: 600 })
}

/** The page's own way: one chunk after the other, no timeout, no second try. */
async function plain(io, job) {
  const content = readFileSync(job.file)
  const id = job.session ?? randomBytes(16).toString('base64url').slice(0, 21)
  const socket = connect(io, job)
  const answered = (name, what) => new Promise((ok) => socket.emit(name, what, ok))
  try {
    await new Promise((ok, no) => {
      socket.on(`upload_error_${id}`, (message) => no(new Error(message)))
      send().then(ok, no)
    })
  } finally {
    socket.close()
  }

  async function send() {
    await answered('begin_upload', { sessionID: id, fileName: job.name })
    const count = Math.ceil(content.length / usual)
    for (let i = 0; i <= count; i++) {
      if (job.wait?.includes(i)) {
        const broken = new Promise((ok) => socket.once('disconnect', ok))
        tell({ job: job.name, event: 'waiting' })
        await broken
        tell({ job: job.name, event: 'gone' }) // what is sent now waits for the next connection
      }
      await answered(`upload_chunk_${id}`, { chunk: content.subarray(i * usual, (i + 1) * usual), last: i === count })
      tell({ job: job.name, event: 'acknowledged', accepted: Math.min((i + 1) * usual, content.length) })
    }
    await new Promise((ok) => socket.once(`upload_success_${id}`, ok))
  }
}

/** With all that the server offers: offsets, checksums, several chunks at once, and it goes on after anything. */
async function patient(io, job) {
  const content = readFileSync(job.file)
  const id = job.session ?? randomBytes(16).toString('base64url')
  const socket = connect(io, job)
  const answered = (name, what) =>
    new Promise((ok, no) => socket.timeout(job.timeout ?? 2000).emit(name, what, (e, answer) => (e ? no(e) : ok(answer))))
  try {
    const success = new Promise((ok) => socket.once(`upload_success_${id}`, ok))
    for (let whole = false; !whole; ) {
      try {
        whole = await attempt()
      } catch (e) {
        tell({ job: job.name, event: 'again', message: String(e) })
      }
    }
    await success
  } finally {
    socket.close()
  }

  async function attempt() {
    const begun = { sessionID: id, fileName: job.name, size: content.length, type: 'audio/mpeg', resume: true }
    const told = await answered('begin_upload', begun)
    if (told.file) return true
    const size = Math.min(job.chunk, told.maxChunk)
    let at = told.offset
    let whole = false
    const work = async () => {
      while (at < content.length) {
        const offset = at
        const chunk = content.subarray(offset, (at = Math.min(offset + size, content.length)))
        const sha256 = createHash('sha256').update(chunk).digest('hex')
        const heard = await answered(`upload_chunk_${id}`, { chunk, offset, sha256, last: at === content.length })
        tell({ job: job.name, event: 'acknowledged', accepted: heard.offset })
        whole ||= !!heard.file
      }
    }
    await Promise.all(Array.from({ length: 3 }, work))
    return whole
  }
}

const jobs = JSON.parse(await text(process.stdin))
await Promise.all(
  jobs.map(async (job) => {
    try {
      await { plain, patient }[job.way ?? 'plain'](await library(job.version), job)
      tell({ job: job.name, event: 'done' })
    } catch (err) {
      tell({ job: job.name, event: 'failed', message: String(err) })
      process.exitCode = 1
    }
  }),
)
