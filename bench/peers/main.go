// The peer serves tus by tusd as a library, with what its program takes by
// default: the file store and the file locker. What costs it time and is of no
// use here is off: the log, the notifications, the hooks.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/tus/tusd/v2/pkg/filelocker"
	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:1080", "where to listen")
	dir := flag.String("dir", "", "where to keep files")
	flag.Parse()
	if err := serve(*listen, *dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(listen, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	composer := handler.NewStoreComposer()
	filestore.New(dir).UseIn(composer)
	filelocker.New(dir).UseIn(composer)
	h, err := handler.NewHandler(handler.Config{
		BasePath:      "/files/",
		StoreComposer: composer,
		Logger:        slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1})),
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", h))
	mux.Handle("/files", http.StripPrefix("/files", h))
	return http.ListenAndServe(listen, mux)
}
