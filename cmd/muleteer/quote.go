package main

import "strings"

// quoted is a command line that a shell reads as these arguments.
// A token is left to the environment, as what this returns is shown.
func quoted(args []string) string {
	words := []string{"muleteer"}
	for i, a := range args {
		if strings.HasPrefix(a, "--token=") || a == "--token" || i > 0 && args[i-1] == "--token" {
			continue
		}
		if a == "" || strings.ContainsFunc(a, special) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// special tells whether a shell may mean something by r.
func special(r rune) bool {
	plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r) || r > 0x7f
	return !plain
}
