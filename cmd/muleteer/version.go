package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of the next or present release.
const release = "0.1.0"

type versionCommand struct{}

func (versionCommand) Run(c console) error {
	_, err := fmt.Fprintf(c.out, "muleteer %s%s %s %s/%s\n", release, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// commit names the commit that the program was built from, if the build knew.
func commit() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, dirty := "", ""
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = " (" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ", changed since"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty + ")"
}
