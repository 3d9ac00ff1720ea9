package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// flagsFirst puts the flags of a command before its other arguments. People
// write flags anywhere, and the parser wants a list of files in one piece.
func flagsFirst(commands []*kong.Node, args []string) []string {
	valued := map[string]bool{} // by flag: whether the next argument is its value
	for _, c := range commands {
		if c.Name != args[0] {
			continue
		}
		for _, f := range c.Flags {
			valued["--"+f.Name] = !f.IsBool()
			if f.Short != 0 {
				valued["-"+string(f.Short)] = !f.IsBool()
			}
		}
	}
	var flags, others []string
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			others, i = append(others, args[i+1:]...), len(args)
		case !strings.HasPrefix(a, "-") || a == "-":
			others = append(others, a)
		default:
			flags = append(flags, a)
			if valued[a] && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	flags = append(args[:1:1], flags...)
	if len(others) > 0 {
		flags = append(append(flags, "--"), others...)
	}
	return flags
}
