package chunkform

import (
	"slices"
	"strings"

	"github.com/muleteer/muleteer/upload"
)

// client is one row of the table: what a client calls things, and what it
// wants to hear. How its chunks find their places follows from the fields that
// it has: an offset is believed first, then a number with the size of a chunk;
// where there is only a number, the chunks themselves show their size.
type client struct {
	name   string   // in records
	marks  []string // who sends all fields of one of these is this client
	fields fields
	json   string // the field that holds the others, as a JSON object
	base   int64  // number of the first chunk

	probes     bool                                          // it asks by GET or HEAD whether a chunk is here
	namespace  bool                                          // a prefix may stand before all of its names
	ranged     bool                                          // Content-Range says what it sends
	loose      bool                                          // the total that it tells may be wrong, the number of chunks is not
	sequential bool                                          // one chunk after the other, and the first begins anew, as a name is all that it has
	alone      bool                                          // a file need not come in chunks
	unique     bool                                          // its id alone tells its files apart, and it removes them by it
	lateName   bool                                          // only its last chunk has the name
	needs      string                                        // a field without which strangers would meet in one upload
	final      int                                           // status that ends an upload in all its versions; 0: that of the reason
	only503    bool                                          // of the statuses for passing trouble it knows no other
	success    func(*answer, *upload.Record, map[string]any) // adds to the answer
	failure    func(*answer, failure, map[string]any)        // adds to the answer that tells an error
}

// fields are the names of what a chunk says; several names stand for one that
// may have any of them, and "header:" before one that is a header.
type fields struct {
	number string // of the chunk, from client.base
	size   string // of chunks but the last, in bytes
	length string // of this chunk
	at     string // offset of its first byte
	total  string // of the file
	count  string // of chunks
	id     string
	name   string
	path   string
	kind   string
	also   string // what else tells one file from another
}

const resumable = "resumable.js"

// clients is the table. The order matters where one client's fields are among
// another's: the first whose marks are there is it.
var clients = []client{{
	name: resumable, marks: []string{"resumableIdentifier", "resumableChunkNumber"},
	probes: true, namespace: true, base: 1, final: 415,
	fields: fields{
		number: "resumableChunkNumber", size: "resumableChunkSize", length: "resumableCurrentChunkSize",
		total: "resumableTotalSize", count: "resumableTotalChunks", id: "resumableIdentifier",
		name: "resumableFilename", path: "resumableRelativePath", kind: "resumableType", also: "lastModified sha256",
	},
}, {
	name: "flow.js", marks: []string{"flowIdentifier", "flowChunkNumber"},
	probes: true, base: 1, final: 415,
	fields: fields{
		number: "flowChunkNumber", size: "flowChunkSize", length: "flowCurrentChunkSize",
		total: "flowTotalSize", count: "flowTotalChunks", id: "flowIdentifier",
		name: "flowFilename", path: "flowRelativePath", also: "lastModified sha256",
	},
}, {
	name: "simple-uploader.js", marks: []string{"chunkNumber identifier", "identifier totalSize"},
	probes: true, base: 1, final: 415,
	fields: fields{
		number: "chunkNumber", size: "chunkSize", length: "currentChunkSize",
		total: "totalSize", count: "totalChunks", id: "identifier",
		name: "filename", path: "relativePath", also: "lastModified sha256",
	},
}, {
	name: "dropzone", marks: []string{"dzuuid"}, loose: true,
	fields: fields{
		number: "dzchunkindex", size: "dzchunksize", at: "dzchunkbyteoffset",
		total: "dztotalfilesize", count: "dztotalchunkcount", id: "dzuuid",
	},
}, {
	name: "fine-uploader", marks: []string{"qquuid"}, alone: true, unique: true,
	fields: fields{
		number: "qqpartindex", length: "qqchunksize", at: "qqpartbyteoffset",
		total: "qqtotalfilesize", count: "qqtotalparts", id: "qquuid", name: "qqfilename",
	},
	success: fineSuccess, failure: fineFailure,
}, {
	name: "webuploader", marks: []string{"id chunks chunk"},
	fields: fields{
		number: "chunk", total: "size", count: "chunks", id: "id", name: "name", kind: "type",
		also: "lastModifiedDate guid md5",
	},
}, {
	name: "plupload", marks: []string{"name chunk chunks", "name offset total"}, sequential: true,
	fields:  fields{number: "chunk", at: "offset", total: "total", count: "chunks", name: "name"},
	success: pluploadSuccess, failure: pluploadFailure,
}, {
	name: "syncfusion", marks: []string{"chunk-index total-chunk", "chunkIndex totalChunk"}, sequential: true,
	fields: fields{number: "chunk-index chunkIndex", count: "total-chunk totalChunk"},
}, {
	name: "devextreme", marks: []string{"Index TotalCount FileGuid"}, json: "chunkMetadata",
	fields: fields{
		number: "Index", total: "FileSize", count: "TotalCount", id: "FileGuid", name: "FileName", kind: "FileType",
	},
}, {
	name: "kendo", marks: []string{"chunkIndex totalChunks"}, json: "metadata",
	fields: fields{
		number: "chunkIndex", total: "totalFileSize fileSize", count: "totalChunks", id: "uploadUid fileUid",
		name: "fileName", path: "relativePath", kind: "contentType",
	},
	success: kendoSuccess,
}, {
	name: "huge-uploader", marks: []string{"header:Uploader-File-Id"}, lateName: true, only503: true,
	fields: fields{
		number: "header:Uploader-Chunk-Number", count: "header:Uploader-Chunks-Total",
		id: "header:Uploader-File-Id", name: "name filename",
	},
}, {
	name: "cloudinary", marks: []string{"header:X-Unique-Upload-Id header:Content-Range"}, ranged: true,
	fields:  fields{id: "header:X-Unique-Upload-Id"},
	success: cloudinarySuccess, failure: cloudinaryFailure,
}, {
	name: "jquery-file-upload", marks: []string{"header:Content-Disposition header:Content-Range"},
	ranged: true, sequential: true,
	success: blueimpSuccess, failure: blueimpFailure,
}, {
	name: "react-uploady", marks: []string{"header:Content-Range"}, ranged: true, needs: "upload_id",
}}

// Field tells whether a client sends a field of this name by itself, for which
// Options.Rename may have another one.
func Field(name string) bool {
	for _, c := range clients {
		f := c.fields
		all := strings.Join([]string{f.number, f.size, f.length, f.at, f.total, f.count, f.id, f.name, f.path, f.kind, c.json}, " ")
		if slices.Contains(strings.Fields(all), name) || c.namespace && name == fileField {
			return true
		}
	}
	return false
}

// fileField is the name of the text field that may hold a data URL.
const fileField = "file"

// everywhere are fields that tell one file from another whatever the client.
const everywhere = token + " upload_id"

// token tells whose a file is.
const token = "upload_token"

// Fields by which a page tells what bytes have to be, in hexadecimal.
const (
	chunkSum = "chunkSha256" // those of this chunk
	fileSum  = "sha256"      // those of the whole file
)
