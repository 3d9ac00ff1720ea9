package clients

// client is one row of the table: a library, and how its page is used.
type client struct {
	name    string            // of the package, and its version
	page    string            // file in pages/
	library string            // what the page imports
	folder  string            // where that is in node_modules, if not under its own name
	below   map[string]string // where others are that it builds on, likewise
	worker  string            // what the page has run as a service worker, beside page
	chunk   int               // bytes
	input   string            // where files are chosen, a selector

	// hand says why it takes a person who presses the button "Try again" to get
	// over a trouble; all others are got over without.
	hand map[trouble]string
	// anew likewise, where the button does not help or there is none: the person
	// chooses the file again, which then is another upload.
	anew map[trouble]string

	meets    bool // two browsers with one file meet in one upload
	reloaded bool // it goes on after the page was loaded again
}

const mib = 1 << 20

// The input for files of a page, and those that libraries make themselves.
const (
	ours     = "#files"
	fine     = "#browse input"
	moxie    = ".moxie-shim input"
	dropped  = ".dz-hidden-input"
	pondered = "file-pond input, .filepond--root input[type=file]"
)

func clients() []client {
	return []client{
		{name: "resumablejs 1.0.2", page: "resumable.js", library: "resumablejs", folder: "resumablejs-1.0",
			chunk: mib, input: ours, meets: true, reloaded: true},
		{name: "resumablejs 1.1.0", page: "resumable.js", library: "resumablejs", folder: "resumablejs-1.1",
			chunk: mib, input: ours, meets: true, reloaded: true},
		{name: "@flowjs/flow.js 2.14.1", page: "flow.js", library: "@flowjs/flow.js",
			chunk: mib, input: ours, meets: true, reloaded: true},
		{name: "simple-uploader.js 0.6.0", page: "simple.js", library: "simple-uploader.js",
			chunk: mib, input: ours, meets: true, reloaded: true},
		{name: "dropzone 5.9.3", page: "dropzone.js", library: "dropzone", folder: "dropzone-5",
			chunk: mib, input: dropped, hand: map[trouble]string{killed: hammers}},
		{name: "dropzone 6.3.5", page: "dropzone.js", library: "dropzone", folder: "dropzone-6",
			chunk: mib, input: dropped, hand: map[trouble]string{killed: hammers}},
		{name: "filepond 4.32.12", page: "filepond-4.js", library: "filepond", folder: "filepond-4",
			chunk: mib, input: pondered},
		{name: "filepond 5.0.0-beta.63", page: "filepond-5.js", library: "filepond", folder: "filepond-5",
			chunk: mib, input: pondered},
		{name: "fine-uploader 5.16.2", page: "fine.js", library: "fine-uploader",
			chunk: mib, input: fine, reloaded: true},
		{name: "plupload 2.3.9", page: "plupload.js", library: "plupload",
			chunk: mib, input: moxie},
		{name: "blueimp-file-upload 10.32.0", page: "jquery.js", library: "blueimp-file-upload",
			chunk: mib, input: ours},
		{name: "@rpldy/chunked-sender 1.13.0", page: "uploady.js", library: "@rpldy/chunked-sender",
			chunk: mib, input: ours, anew: map[trouble]string{killed: hammers}},
		{name: "huge-uploader 1.2.0", page: "huge.js", library: "huge-uploader",
			chunk: 1_000_000, input: ours},
		{name: "@uppy/aws-s3 5.1.0", page: "uppy-5.js", library: "@uppy/aws-s3", folder: "uppy-aws-s3-5", below: uppy5(),
			chunk: 5 * mib, input: ours, hand: map[trouble]string{lost: onceOnly, killed: hammers}},
		{name: "@uppy/aws-s3 6.3.1", page: "uppy-6.js", library: "@uppy/aws-s3",
			chunk: 5 * mib, input: ours, hand: map[trouble]string{lost: onceOnly, killed: hammers}},
	}
}

// uppy5 is what version 5 of Uppy builds on.
func uppy5() map[string]string {
	return map[string]string{"@uppy/core": "uppy-core-5", "@uppy/golden-retriever": "uppy-golden-retriever-5"}
}

const onceOnly = "what is no part it asks for once"
const hammers = "it tries again at once and a few times only, so the server has no time to start"
