package disk

import (
	"io"
	"io/fs"

	"github.com/muleteer/muleteer/extent"
)

// system is what a Store needs of a file system. Names are slash-separated and
// relative to the store's directory. Nothing here is durable before it is
// synced: bytes and size by the file's sync, names by that of their directory.
// It is an interface so that a test can lose what was not synced.
type system interface {
	open(name string, flag int) (file, error)   // os.O_…, and direct
	temp() (file, error)                        // without a name; errors.ErrUnsupported
	link(f file, name string) error             // names what temp made; fs.ErrExist
	mkdir(name string) error                    // fs.ErrExist
	rename(from, to string, replace bool) error // fs.ErrExist unless replace
	remove(name string) error                   // a file
	rmdir(name string) error                    // a directory, if it is empty
	list(name string) ([]fs.FileInfo, error)    // of a directory
	sync(name string) error                     // of a directory
	syncAll() error                             // of all files and directories; errors.ErrUnsupported
	free() (int64, error)                       // bytes, or -1
	close() error
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	stat() (fs.FileInfo, error)
	same(file) bool                // whether both are one file under two names
	sync() error                   // bytes and size, and the mark
	written() error                // of which a sync of all was made: an error of writing it, since it was opened
	trim(size int64) (bool, error) // ends it at size, gives back what is reserved; tells whether its size changed
	reserve(e extent.Extent) error // space, without changing its size
	// copy copies n bytes from another file of the system without reading
	// them; it returns how many it did before it could not go on.
	copy(at int64, from file, off, n int64) (int64, error)
	// mark notes whose file it is, where the file system can; marked tells.
	mark(id string) error
	marked() string
}
