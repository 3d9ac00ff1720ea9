// The peer serves tus by tusd as a library, with what its program takes by
// default: the file store and the file locker, or the S3 store and the locker
// in memory. What costs it time and is of no use here is off: the log, the
// notifications, the hooks. As "minio …" it is a client of an S3 server.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/tus/tusd/v2/pkg/filelocker"
	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"
)

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "minio" {
		err = putMinio(context.Background(), os.Args[2:])
	} else {
		err = serve(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	listen := flag.String("listen", "127.0.0.1:1080", "where to listen")
	dir := flag.String("dir", "", "where to keep files")
	endpoint := flag.String("s3", "", "URL of an S3 server to keep files in, instead")
	name := flag.String("bucket", "", "its bucket")
	flag.Parse()
	composer := handler.NewStoreComposer()
	if *endpoint != "" {
		store, err := bucket(ctx, *endpoint, *name)
		if err != nil {
			return err
		}
		store.UseIn(composer)
		memorylocker.New().UseIn(composer)
	} else {
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return err
		}
		filestore.New(*dir).UseIn(composer)
		filelocker.New(*dir).UseIn(composer)
	}
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
	return http.ListenAndServe(*listen, mux)
}
