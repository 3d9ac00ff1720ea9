// Command muleteer takes uploads from any client there is and never loses a
// byte that it has acknowledged.
//
//	muleteer serve             takes uploads on http://127.0.0.1:8080
//	muleteer put FILE… [URL]   uploads files, and resumes by itself
//	muleteer ls, rm            lists and removes uploads
//	muleteer token, link       let others upload, or read
//	muleteer events            lists and replays what could not be told
//	muleteer check             compares what is recorded with what is kept
//	muleteer health            tells whether a server takes uploads
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/muleteer/muleteer/upload"
)

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Take uploads."`
	Put     putCommand     `cmd:"" help:"Upload files, directories or standard input."`
	Ls      lsCommand      `cmd:"" help:"List uploads."`
	Rm      rmCommand      `cmd:"" help:"Remove uploads."`
	Token   tokenCommand   `cmd:"" help:"Make a token that permits uploads, or tell what one says."`
	Link    linkCommand    `cmd:"" help:"Make a link by which anybody can read a finished file for a while."`
	Events  eventsCommand  `cmd:"" help:"List events that are not delivered, and have them tried again."`
	Check   checkCommand   `cmd:"" help:"Compare what is recorded with what is kept. The server must not run."`
	Health  healthCommand  `cmd:"" help:"Ask a server whether it takes uploads; for containers."`
	Version versionCommand `cmd:"" help:"Tell the version."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	args     []string // of the whole command, without the program's name
}

// failure is an error that ends the program with a code of its own.
type failure struct {
	code int
	err  error // nil if all has been said
}

func (f *failure) Error() string { return fmt.Sprint(f.err) }
func (f *failure) Unwrap() error { return f.err }

// The codes with which the program ends.
const (
	exitError       = 1
	exitUsage       = 2
	exitPartly      = 3 // some files arrived, others did not
	exitInterrupted = 130
)

// twice is how soon a second signal is the first one's echo.
const twice = 300 * time.Millisecond

func main() {
	os.Exit(run(console{os.Stdin, os.Stdout, os.Stderr, os.Args[1:]}))
}

// run does what the arguments say, and returns the program's exit code.
func run(c console) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends things in order, a later one at once. What wraps
	// programs often sends the first one twice.
	context.AfterFunc(ctx, func() { time.AfterFunc(twice, stop) })

	command, err := parseInto(new(commands), c)
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run(c)
	} else {
		err = &failure{exitUsage, err}
	}
	if err == nil {
		return 0
	}
	code := exitError
	if f := (*failure)(nil); errors.As(err, &f) {
		code = f.code
		err = f.err
	}
	if err != nil {
		fmt.Fprintln(c.err, "muleteer:", strings.TrimSpace(err.Error()))
	}
	return code
}

// parseInto reads the arguments into grammar.
func parseInto(grammar *commands, c console) (*kong.Context, error) {
	parser, err := newParser(grammar, c)
	if err != nil {
		return nil, err
	}
	if len(c.args) == 0 {
		c.args = []string{"--help"}
	}
	return parser.Parse(flagsFirst(parser.Model.Children, c.args))
}

func newParser(grammar *commands, c console) (*kong.Kong, error) {
	return kong.New(grammar,
		kong.Name("muleteer"),
		kong.Description("Uploads that survive anything. “muleteer serve” is all it takes to begin."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(c.out, c.err),
		kong.Vars{"key": string(upload.DefaultKey), "address": defaultAddress, "mulePath": usualMule},
		kong.Resolvers(olderNames),
	)
}
