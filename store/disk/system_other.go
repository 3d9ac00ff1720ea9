//go:build !linux

package disk

import (
	"errors"
	"io/fs"
	"os"
)

// Outside Linux the plain way is taken everywhere.
const direct = 0

func (s *osSystem) temp() (file, error)             { return nil, errors.ErrUnsupported }
func (s *osSystem) link(file, string) error         { return errors.ErrUnsupported }
func (s *osSystem) renameNew(from, to string) error { return errors.ErrUnsupported }
func (s *osSystem) syncAll() error                  { return errors.ErrUnsupported }
func (f *osFile) written() error                    { return nil }
func syncData(f *os.File) error                     { return f.Sync() }
func reserve(*os.File, int64, int64) error          { return errors.ErrUnsupported }
func overlong(fs.FileInfo) bool                     { return false }
func (f *osFile) mark(string) error                 { return errors.ErrUnsupported }
func (f *osFile) marked() string                    { return "" }

func copyRange(*os.File, int64, *os.File, int64, int64) (int64, error) {
	return 0, errors.ErrUnsupported
}
