// Uploads with tus-js-client as it comes from npm. The jobs are read from
// standard input as a JSON list; what happens is told in lines of JSON:
//   {job, event: "url", url}         the upload was begun
//   {job, event: "chunk", accepted}  the server has acknowledged so many bytes
//   {job, event: "done", url, resumed}
//   {job, event: "failed", message}
import { createReadStream, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

// library loads a version of the client; 4 is not an ES module.
async function library(version) {
  if (version === 5) {
    const { FileUrlStorage } = await import('tus-js-client-5/node/FileUrlStorage')
    return { ...(await import('tus-js-client-5')), FileUrlStorage }
  }
  return (await import('tus-js-client')).default
}

// input is what the client is given to upload.
function input(job) {
  switch (job.input) {
    case 'file':
      return createReadStream(job.file)
    case 'stream': // of which nobody knows the end before it comes
      return Readable.from(readFileSync(job.file), { objectMode: false })
    default:
      return readFileSync(job.file)
  }
}

async function upload(job) {
  const tus = await library(job.version)
  const options = {
    endpoint: job.endpoint,
    metadata: { filename: job.name, filetype: 'application/x-noise' },
    retryDelays: Array(200).fill(25),
    ...job.options,
  }
  if (job.storage) {
    options.urlStorage = new tus.FileUrlStorage(job.storage)
  }
  let resumed = false
  const url = await new Promise((resolve, reject) => {
    options.onUploadUrlAvailable = () => tell({ job: job.name, event: 'url', url: u.url })
    options.onChunkComplete = (_size, accepted) => tell({ job: job.name, event: 'chunk', accepted })
    options.onSuccess = () => resolve(u.url)
    options.onError = reject
    const u = new tus.Upload(input(job), options)
    const begin = async () => {
      if (job.storage) {
        const previous = await u.findPreviousUploads()
        if (previous.length > 0) {
          u.resumeFromPreviousUpload(previous[0])
          resumed = true
        }
      }
      u.start()
    }
    begin().catch(reject)
  })
  tell({ job: job.name, event: 'done', url, resumed })
}

for (const job of JSON.parse(await text(process.stdin))) {
  try {
    await upload(job)
  } catch (err) {
    tell({ job: job.name, event: 'failed', message: String(err) })
    process.exitCode = 1
  }
}
