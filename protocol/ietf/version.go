package ietf

import "net/http"

// version is what one version of the protocol says otherwise than the others.
// All differences are in the table below, and nowhere else.
type version struct {
	interop     int64     // the value of Upload-Draft-Interop-Version; 0: none, the RFC to come
	field       string    // that says whether the upload is complete
	incomplete  bool      // that field says the contrary
	informs     bool      // 104 tells where the upload is
	progress    bool      // and how far it has come
	lenient     bool      // an append need not say whether it is the last; then it is
	partial     bool      // an append must be of the type application/partial-upload
	strict      bool      // HEAD and DELETE must not tell anything of the upload
	offsets     bool      // every answer that succeeds tells the offset
	appended    int       // status of an append that succeeds and is not the last
	limits      bool      // answers have an Upload-Limit
	age         string    // what that calls the lifetime
	invalidates bool      // an upload that gets more bytes than its length is ended
	completed   problemID // of an append to what is complete already
	replays     bool      // the last append may come again, and is answered as it was
	busy        int       // status of a HEAD that will succeed later
}

// versions is the table of versions by their drafts: 3 is -01, 4 is -02, 5 is
// -03, 6 is -04 and -05, 7 is -06 to -08, 8 is -09 to -11. The first row is for
// requests without a version, and with one that is not known.
//
// busy is 423 up to version 6 because tus-js-client, which speaks 5 and 6,
// begins anew after any other status; from 7 on the drafts say that a client
// asks again after a 5xx.
var versions = [...]version{
	{interop: 0, field: complete, partial: true, appended: 204, limits: true, age: "max-age", invalidates: true, completed: inconsistent, replays: true, busy: 503},
	{interop: 3, field: "Upload-Incomplete", incomplete: true, informs: true, lenient: true, strict: true, offsets: true, appended: 201, completed: completed, busy: 423},
	{interop: 4, field: complete, informs: true, lenient: true, strict: true, offsets: true, appended: 201, completed: completed, busy: 423},
	{interop: 5, field: complete, informs: true, progress: true, lenient: true, strict: true, offsets: true, appended: 201, completed: completed, busy: 423},
	{interop: 6, field: complete, informs: true, progress: true, lenient: true, partial: true, strict: true, offsets: true, appended: 201, limits: true, age: "expires", completed: completed, busy: 423},
	{interop: 7, field: complete, informs: true, progress: true, partial: true, appended: 204, limits: true, age: "max-age", completed: inconsistent, busy: 503},
	{interop: 8, field: complete, informs: true, progress: true, partial: true, appended: 204, limits: true, age: "max-age", invalidates: true, completed: inconsistent, busy: 503},
}

// The fields of the protocol.
const (
	complete = "Upload-Complete"
	offset   = "Upload-Offset"
	length   = "Upload-Length"
	limit    = "Upload-Limit"
	interop  = "Upload-Draft-Interop-Version"
)

// negotiate returns the version that a request speaks.
func negotiate(h http.Header) version {
	n, said := integer(h, interop)
	for _, v := range versions[1:] {
		if said == valid && n == v.interop {
			return v
		}
	}
	return versions[0]
}

// completeness reads whether the request is the last one of its upload.
func (v version) completeness(h http.Header) (bool, presence) {
	b, said := boolean(h, v.field)
	return b != v.incomplete, said
}

// setComplete says whether the upload is complete.
func (v version) setComplete(h http.Header, is bool) {
	if is != v.incomplete {
		h.Set(v.field, "?1")
	} else {
		h.Set(v.field, "?0")
	}
}
