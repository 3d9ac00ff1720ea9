package photo

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// orientation reads how a camera was held (Exif 2.3, tag 0x0112): 1 to 8, 1 if
// nothing says so. Nothing of what it reads is trusted.
func orientation(jpeg []byte) int {
	for at := 2; at+4 <= len(jpeg) && jpeg[at] == 0xff && jpeg[at+1] != 0xda; {
		n := int(binary.BigEndian.Uint16(jpeg[at+2:]))
		body := jpeg[min(at+4, len(jpeg)):min(at+2+max(n, 2), len(jpeg))]
		if tiff, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && jpeg[at+1] == 0xe1 {
			return tag(tiff)
		}
		at += 2 + n
	}
	return 1
}

// tag looks for the orientation in the first directory of a TIFF.
func tag(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(tiff) < 8 {
		return 1
	}
	at := int(order.Uint32(tiff[4:]))
	if at < 8 || at > len(tiff)-2 {
		return 1
	}
	const size = 12 // of an entry
	for n, at := int(order.Uint16(tiff[at:])), at+2; n > 0 && at+size <= len(tiff); n, at = n-1, at+size {
		if order.Uint16(tiff[at:]) != 0x0112 {
			continue
		}
		if o := int(order.Uint16(tiff[at+8:])); o >= 1 && o <= 8 {
			return o
		}
	}
	return 1
}

// turned returns an image as it was seen by whoever held the camera.
func turned(m image.Image, o int) image.Image {
	if o == 1 {
		return m
	}
	return &turn{m, o}
}

// turn is an image that is looked at from another side.
type turn struct {
	image.Image
	o int
}

func (t *turn) Bounds() image.Rectangle {
	b := t.Image.Bounds()
	if t.o >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

func (t *turn) At(x, y int) color.Color {
	b := t.Image.Bounds()
	right, bottom := b.Dx()-1, b.Dy()-1
	switch t.o {
	case 2:
		x = right - x
	case 3:
		x, y = right-x, bottom-y
	case 4:
		y = bottom - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, bottom-x
	case 7:
		x, y = right-y, bottom-x
	case 8:
		x, y = right-y, x
	}
	return t.Image.At(b.Min.X+x, b.Min.Y+y)
}
