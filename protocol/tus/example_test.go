package tus_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/muleteer/muleteer/protocol/tus"
	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/store/mem"
	"github.com/muleteer/muleteer/upload"
)

// An application mounts tus over a store and a state of its own choice.
func Example() {
	s := &upload.Service{Store: mem.New(mem.Options{}), State: state.Memory(nil)}
	mux := http.NewServeMux()
	mux.Handle("/tus/", tus.Handler(s, tus.Options{Base: "/tus/"}))
	server := httptest.NewServer(mux)
	defer server.Close()

	r, _ := http.NewRequest("POST", server.URL+"/tus/", strings.NewReader("hello"))
	r.Header.Set("Tus-Resumable", tus.Version)
	r.Header.Set("Upload-Length", "5")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status, res.Header.Get("Upload-Offset"))
	// Output: 201 Created 5
}
