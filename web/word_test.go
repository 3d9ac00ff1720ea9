package web_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/internal/wire"
)

// TestWordOfTheDocs: the script of docs/fingerprint.md makes of a file the word that
// the server makes of what it is told.
func TestWordOfTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/fingerprint.md")
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(page)
	if script == nil {
		t.Fatal("the page has no script")
	}
	const name = "ü, 日本語 🎒 (1)!*'~ 100% #1?&+.bin"
	for _, size := range []int{0, 6, 65535, 65536, 100_000, 131_072, 300_000} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i * i >> 7)
		}
		edge := min(size, 65536)
		hash := sha256.Sum256(append(append([]byte{}, content[:edge]...), content[size-edge:]...))
		want := wire.FileWord(name, int64(size), 1700000000123) + fmt.Sprintf(",%x", hash)
		out, err := exec.Command("node", "--no-warnings", "--input-type=module", "-e", string(script[1])+fmt.Sprintf(`
			import { File } from "node:buffer";
			const bytes = Uint8Array.from({ length: %d }, (_, i) => Number(BigInt(i) ** 2n >> 7n & 255n));
			console.log(await word(new File([bytes], %q, { lastModified: 1700000000123 })));`, size, name)).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("of %d bytes it makes %s, want %s (%v)", size, got, want, err)
		}
	}
}
