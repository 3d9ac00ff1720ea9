//go:build unix

package s3

import "syscall"

// Blocks are no business of the garbage collector: it would let the heap grow
// to twice what lives in it, and a budget would be none.

func newBlock(size int) []byte {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	return b
}

func endBlock(b []byte) {
	_ = syscall.Munmap(b) // one that was not mapped is left to the collector
}
