package web

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// iconSize is the width of an icon in pixels; it is shown at half of it.
const iconSize = 64

// shape tells whether a point is within it; the icon reaches from -1 to 1.
type shape func(x, y float64) bool

// icons draws the icons of the demo, by name: resume, pause, error, done,
// uploaded-0 to uploaded-100, and a placeholder for thumbnails.
func icons() map[string]image.Image {
	blue, green, red, grey := color.NRGBA{0x1f, 0x6f, 0xd6, 255}, color.NRGBA{0x1d, 0x8a, 0x4e, 255}, color.NRGBA{0xc4, 0x34, 0x2b, 255}, color.NRGBA{0x8a, 0x95, 0xa3, 255}
	white := color.NRGBA{255, 255, 255, 255}
	disc := ring(0, 0.94)
	all := map[string]image.Image{
		"resume": drawn(iconSize, iconSize, layer{disc, blue}, layer{func(x, y float64) bool { return x > -0.3 && x < 0.5 && math.Abs(y) < 0.5-(x+0.3)*0.62 }, white}),
		"pause":  drawn(iconSize, iconSize, layer{disc, blue}, layer{func(x, y float64) bool { return math.Abs(y) < 0.45 && math.Abs(math.Abs(x)-0.26) < 0.13 }, white}),
		"done":   drawn(iconSize, iconSize, layer{disc, green}, layer{either(stroke(-0.45, 0.02, -0.12, 0.36), stroke(-0.12, 0.36, 0.48, -0.34)), white}),
		"error":  drawn(iconSize, iconSize, layer{disc, red}, layer{either(stroke(0, -0.52, 0, 0.14), func(x, y float64) bool { return math.Hypot(x, y-0.5) < 0.13 }), white}),
	}
	for percent := 0; percent <= 100; percent += 10 {
		share := float64(percent) / 100
		full := ring(0.62, 0.94)
		done := func(x, y float64) bool {
			angle := math.Atan2(x, -y) / (2 * math.Pi) // from the top, clockwise
			if angle < 0 {
				angle++
			}
			return full(x, y) && angle < share
		}
		all[fmt.Sprint("uploaded-", percent)] = drawn(iconSize, iconSize, layer{full, color.NRGBA{grey.R, grey.G, grey.B, 90}}, layer{done, blue})
	}
	hills := func(x, y float64) bool {
		return y < 0.45 && (y > math.Abs(x+0.25)-0.15 || y > math.Abs(x-0.4)*1.1+0.05)
	}
	frame := func(x, y float64) bool { return math.Abs(x) < 0.85 && math.Abs(y) < 0.55 }
	all["placeholder"] = drawn(320, 240,
		layer{func(float64, float64) bool { return true }, color.NRGBA{0xe6, 0xea, 0xef, 255}},
		layer{func(x, y float64) bool { return frame(x, y) && hills(x, y) }, grey},
		layer{func(x, y float64) bool { return math.Hypot(x-0.45, y+0.3) < 0.12 }, grey})
	return all
}

func ring(inner, outer float64) shape {
	return func(x, y float64) bool { r := math.Hypot(x, y); return r >= inner && r < outer }
}

// stroke is a thick line with round ends.
func stroke(x1, y1, x2, y2 float64) shape {
	const thick = 0.11
	dx, dy := x2-x1, y2-y1
	return func(x, y float64) bool {
		t := min(max(((x-x1)*dx+(y-y1)*dy)/(dx*dx+dy*dy), 0), 1)
		return math.Hypot(x-x1-t*dx, y-y1-t*dy) < thick
	}
}

func either(a, b shape) shape { return func(x, y float64) bool { return a(x, y) || b(x, y) } }

// layer is a shape in one colour.
type layer struct {
	shape
	color.NRGBA
}

// fine is how many points of a pixel are looked at in each direction.
const fine = 4

// drawn lays layers over each other. The unit is half of the smaller side.
func drawn(w, h int, layers ...layer) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	unit := float64(min(w, h)) / 2
	for i := range w * h {
		px, py := i%w, i/w
		var r, g, b, a float64 // premultiplied
		for _, l := range layers {
			in := 0
			for k := range fine * fine {
				x := (float64(px) + (float64(k%fine)+0.5)/fine - float64(w)/2) / unit
				y := (float64(py) + (float64(k/fine)+0.5)/fine - float64(h)/2) / unit
				if l.shape(x, y) {
					in++
				}
			}
			cover := float64(in) / (fine * fine) * float64(l.A) / 255
			r, g, b, a = r*(1-cover)+float64(l.R)*cover, g*(1-cover)+float64(l.G)*cover, b*(1-cover)+float64(l.B)*cover, a*(1-cover)+cover
		}
		if a > 0 {
			m.SetNRGBA(px, py, color.NRGBA{uint8(r/a + 0.5), uint8(g/a + 0.5), uint8(b/a + 0.5), uint8(a*255 + 0.5)})
		}
	}
	return m
}
