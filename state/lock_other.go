//go:build !unix

package state

import (
	"errors"
	"os"
)

// lock refuses: without it two processes could own one database.
func lock(string) (*os.File, error) {
	return nil, errors.New("a state in a file needs a Unix system: without one, only memory: can be the --state")
}
