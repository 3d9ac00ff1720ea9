//go:build linux

package main

import (
	"bytes"
	"io"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// ends are both ends of a connection over a line of this shape.
func ends(t *testing.T, s shape) (client, server net.Conn) {
	client, in := net.Pipe()
	out, server := net.Pipe()
	l := &line{shape: s}
	go l.carry(out, in, &limiter{rate: s.rate}, new(atomic.Int64))
	go l.carry(in, out, &limiter{rate: s.rate}, new(atomic.Int64))
	t.Cleanup(func() {
		client.Close()
		server.Close()
		time.Sleep(time.Minute) // of the bubble's time, in which what is under way arrives
	})
	return client, server
}

// A line delays every byte by the same time and slows none, or all to its rate;
// what comes out is what went in.
func TestLine(t *testing.T) {
	const bytesSent = 4_000_000
	for name, test := range map[string]struct {
		shape
		took time.Duration // from the first byte sent to the last that arrived
	}{
		"2 MB/s, 50 ms": {shape{delay: 50 * time.Millisecond, rate: 2e6}, 50*time.Millisecond + 2*time.Second},
		"no limit":      {shape{delay: 25 * time.Millisecond}, 25 * time.Millisecond},
		// A quarter of what is sent each round trip.
		"a window": {shape{delay: 25 * time.Millisecond, window: 1_000_000}, 4 * 50 * time.Millisecond},
		"no delay": {shape{rate: 1e6}, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := ends(t, test.shape)
				time.Sleep(2 * test.delay) // it opens
				sent := noise(bytesSent)
				began := time.Now()
				go func() {
					_, _ = client.Write(sent)
					client.Close()
				}()
				got, err := io.ReadAll(server)
				took := time.Since(began)
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d bytes arrived that are not the %d sent: %v", len(got), len(sent), err)
				}
				if off := took - test.took; math.Abs(float64(off)) > float64(test.took)/100 {
					t.Errorf("it took %v, not %v", took, test.took)
				}
			})
		})
	}
}

// A server that does not read stops the client: a line holds what is under way
// and no more.
func TestLineHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shape{delay: 50 * time.Millisecond, rate: 2e6}
		client, _ := ends(t, s)
		var taken atomic.Int64
		go func() {
			for b := make([]byte, 1000); ; taken.Add(int64(len(b))) {
				if _, err := client.Write(b); err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Hour)
		if most := int64(room + 100_000 + 2*s.packet()); taken.Load() > most || taken.Load() < room {
			t.Errorf("the line took %d bytes, and may hold %d", taken.Load(), most)
		}
	})
}

// A round trip takes twice the delay, and half a connection can go on.
func TestLineAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := ends(t, shape{delay: 50 * time.Millisecond})
		go func() {
			_, _ = io.Copy(server, server)
			server.Close()
		}()
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		b := make([]byte, 1)
		for range 3 {
			if _, err := client.Write(b); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(client, b); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("three round trips took %v", took)
		}
	})
}
