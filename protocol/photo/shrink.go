package photo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the formats that are read
	"image/jpeg"
	_ "image/png"
	"io"
	"time"
)

// What is decoded at most. An image of 24 million pixels takes some 300 MB in
// the worst of the formats.
const (
	edge        = 320 // pixels of a picture's longer side
	imageBytes  = 64 << 20
	imagePixels = 24_000_000
	headBytes   = 256 << 10       // in which an image tells its size and how it lies
	decodeTime  = 8 * time.Second // a small file can be made to take hours
	samples     = 4               // in each direction, for one pixel
)

// shrink makes a small JPEG of an image. It ends with ctx, also in the middle of
// an image that takes for ever.
func shrink(ctx context.Context, r io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	limited := &patient{ctx, io.LimitReader(r, imageBytes)}
	head := make([]byte, headBytes)
	n, err := io.ReadFull(limited, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = head[:n]
	// The size of some JPEGs stands behind a long head; those have no picture.
	c, _, err := image.DecodeConfig(bytes.NewReader(head))
	if err != nil {
		return nil, err
	}
	if c.Width < 1 || c.Height < 1 || int64(c.Width)*int64(c.Height) > imagePixels {
		return nil, fmt.Errorf("it has %d × %d pixels", c.Width, c.Height)
	}
	whole, _, err := image.Decode(io.MultiReader(bytes.NewReader(head), limited))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, small(turned(whole, orientation(head))), &jpeg.Options{Quality: 82})
	return out.Bytes(), err
}

// patient is a reader that ends with its context.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

// small scales an image to at most edge pixels, on white. Each pixel is the
// mean of some samples, evenly spread over what it stands for.
func small(m image.Image) image.Image {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	if longer := max(w, h); longer > edge {
		w, h = max(w*edge/longer, 1), max(h*edge/longer, 1)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var red, green, blue uint32
			for i := range samples * samples {
				sx := b.Min.X + (x*samples+i%samples)*b.Dx()/(w*samples)
				sy := b.Min.Y + (y*samples+i/samples)*b.Dy()/(h*samples)
				r, g, bl, a := m.At(sx, sy).RGBA()
				red, green, blue = red+r+0xffff-a, green+g+0xffff-a, blue+bl+0xffff-a
			}
			mean := func(sum uint32) uint8 { return uint8(sum / (samples * samples) >> 8) }
			out.SetRGBA(x, y, color.RGBA{mean(red), mean(green), mean(blue), 0xff})
		}
	}
	return out
}
