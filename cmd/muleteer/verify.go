package main

import (
	"fmt"
	"io"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// verify compares what the server has with what was sent, by size and checksum.
func (w *swarm) verify(v *view) error {
	if err := w.source.changed(w.file); err != nil {
		return err
	}
	w.meter.note("checking")
	crc, err := w.checksum()
	if err != nil {
		return fmt.Errorf("the file cannot be read again: %w", reason(err))
	}
	return v.agrees(w.source.size, crc)
}

// checksum is that of the whole file: combined from the pieces that were sent,
// read anew where the server had the bytes before.
func (w *swarm) checksum() (store.CRC, error) {
	b := w.buffers.Get().(*[]byte)
	defer w.buffers.Put(b)
	var sent extent.Set
	for at, n := range w.lengths {
		sent = append(sent, extent.At(at, n))
	}
	here := extent.Of(sent...)
	var crc store.CRC
	for at := int64(0); at < w.source.size; {
		if n, ok := w.lengths[at]; ok && n > 0 {
			crc, at = crc.Append(w.sums[at], n), at+n
			continue
		}
		gap := here.Missing(extent.Extent{Start: at, End: w.source.size})[0]
		c, err := sum(io.NewSectionReader(w.file, at, gap.Len()), gap.Len(), *b)
		if err != nil {
			return 0, err
		}
		crc, at = crc.Append(c, gap.Len()), gap.End
	}
	return crc, nil
}

// agrees tells whether the server's file is the one that was sent.
func (v *view) agrees(size int64, crc store.CRC) error {
	switch {
	case v.Size == nil || *v.Size != size:
		return fmt.Errorf("the server has another file than was sent: not %d bytes; remove it there (muleteer rm %s) and send it again", size, v.ID)
	case v.CRC != crc.String():
		return fmt.Errorf("the server has another file than was sent: its checksum is %s, not %s; remove it there (muleteer rm %s) and send it again", printable(v.CRC), crc, v.ID)
	}
	return nil
}
