package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// cloud is a stage whose server keeps the files in a bucket, to which the
// browser has a line of its own.
type cloud struct {
	*stage
	gateway *s3test.Server
	name    string         // of the bucket
	front   *trial.Brittle // between browser and server
	back    *trial.Brittle // between server and bucket
	side    *trial.Brittle // between browser and bucket
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	gateway := s3test.Start(t)
	at := strings.TrimPrefix(gateway.Endpoint, "http://")
	c := &cloud{gateway: gateway, name: gateway.Bucket(t), back: trial.NewBrittle(t, at), side: trial.NewBrittle(t, at)}
	q := url.Values{
		"endpoint": {"http://" + c.back.Address}, "region": {s3test.Region},
		"direct": {"1"}, "public": {"http://" + c.side.Address},
	}
	server := trial.ServeWith(t, s3test.Env(), program, t.TempDir(), "--store", "s3://"+c.name+"?"+q.Encode())
	c.stage = &stage{dir: t.TempDir(), server: server, line: newLine(t, server), more: c.asked()}
	c.front = trial.NewBrittle(t, strings.TrimPrefix(c.line.url, "http://"))
	c.line.url = "http://" + c.front.Address
	return c
}

// asked is what plays may ask for.
func (c *cloud) asked() map[string]func(string) (string, error) {
	return map[string]func(string) (string, error){
		"origin": func(string) (string, error) { return "http://" + c.side.Address, nil },
		"stop": func(after string) (string, error) { // the line to the bucket, after so many bytes
			n, err := strconv.ParseInt(after, 10, 64)
			c.side.Let(n)
			return "", err
		},
		"stopped": func(string) (string, error) {
			for end := time.Now().Add(patience); !c.side.Still(); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					return "", errors.New("nothing is on its way to the bucket")
				}
			}
			return "", nil
		},
		"lose": func(string) (string, error) { // what is on its way; then all goes on
			c.side.Cut()
			c.side.Let(math.MaxInt64)
			return "", nil
		},
	}
}

// documented are the rules for a bucket that docs/s3.md has for pages that send
// to it, with the origin of ours.
func (c *cloud) documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/s3.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[1], "AllowedMethods") && strings.Contains(block[1], `"PUT"`) {
			return strings.ReplaceAll(block[1], "https://your.page", c.line.url)
		}
	}
	t.Fatal("docs/s3.md has no rules by which pages can send to a bucket")
	return ""
}

// arrived wants in the bucket what is in the folder, and nothing else.
func (c *cloud) arrived(t *testing.T) {
	t.Helper()
	var got []string
	for key := range c.gateway.Objects(t, c.name) {
		if strings.HasPrefix(key, ".muleteer/") {
			continue
		}
		object, err := c.gateway.Read(c.name, key)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_, err = io.Copy(h, object)
		object.Close()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, hex.EncodeToString(h.Sum(nil)))
	}
	slices.Sort(got)
	var want []string
	for _, s := range trial.Sums(t, c.dir, nothing) {
		want = append(want, strings.Fields(s)[0])
	}
	if !slices.Equal(got, want) {
		t.Errorf("in the bucket are %v, sent was %v", got, want)
	}
}

// carried logs how many bytes have passed, both ways, and returns what has
// passed the server.
func (c *cloud) carried(t *testing.T) int64 {
	t.Helper()
	front, back := c.front.Up.Load()+c.front.Down.Load(), c.back.Up.Load()+c.back.Down.Load()
	t.Logf("%.3f MB between browser and server, %.3f MB between server and bucket, %.3f MB from the browser to the bucket",
		float64(front)/1e6, float64(back)/1e6, float64(c.side.Up.Load())/1e6)
	return front + back
}

// The page and the element send straight into the bucket: the server sees next
// to nothing of it.
func TestDirect(t *testing.T) {
	t.Parallel()
	const long, box = 500_000_000, 60_000_000
	c := newCloud(t)
	if err := c.gateway.Cors(t.Context(), c.name, c.documented(t)); err != nil {
		t.Fatal(err)
	}
	c.file(t, "long.bin", trial.Noise(long, 30))
	c.file(t, "box.bin", trial.Noise(box, 31))
	c.play(t, "direct")
	if n := c.carried(t); n >= 1_000_000 {
		t.Errorf("%d bytes passed the server", n)
	}
	// What was under way when the page was loaded again is sent twice, and only that.
	if n := c.side.Up.Load() - long - box; n < 1_000_000 || n > (workers+1)*chunk {
		t.Errorf("%d bytes were sent twice", n)
	}
	c.arrived(t)
}

// Where the bucket has no rules for pages, all goes through the server.
func TestDirectWithoutCors(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.file(t, "long.bin", trial.Noise(60_000_000, 32))
	c.play(t, "closed")
	c.carried(t)
	if n := c.side.Up.Load(); n > 100_000 {
		t.Errorf("%d bytes were sent to a bucket that does not take them", n)
	}
	c.arrived(t)
}
