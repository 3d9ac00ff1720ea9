package socketio

import "testing"

// FuzzParse: no packet makes parse panic, what it takes is given out as it came,
// and events are taken apart or refused.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "0", `0{"token":"a"}`, "0/room,", `0/room?a=b,{"a":1}`, "1", `2["a"]`, `20["begin_upload",{"sessionID":"s"}]`,
		"30[]", `51-1["upload_chunk_s",{"chunk":{"_placeholder":true,"num":0},"last":false}]`, `51-/room,1["a"]`, "6", "51", "5-", "5999999999999999999999-",
		`2999999999999999999["a"]`, "2/", `{"_placeholder":true,"num":0}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parse(s)
		if err != nil {
			return
		}
		q, err := parse(p.String())
		if err != nil || p != q {
			t.Errorf("%q is %+v, and written and read again %+v, %v", s, p, q, err)
		}
		if (p.kind == binaryEvent || p.kind == binaryAck) != (p.attachments > 0) {
			t.Errorf("%q has %d attachments", s, p.attachments)
		}
		c, err := readEvent(p.data)
		if err != nil {
			return
		}
		for _, arg := range c.args {
			placeholder(arg)
		}
	})
}
