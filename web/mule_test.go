package web_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
)

// The page at /mule signs by hashes of its own, which are those of everybody else.
func TestMuleHashes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	var given [][2]string // key and message
	var want [][2]string  // hash of the message, and with the key
	for n := range 200 {
		key, message := noise(n), noise(3*n)
		if n < 150 { // around the ends of blocks
			message = noise(n)
		}
		sum, m := sha256.Sum256(message), hmac.New(sha256.New, key)
		m.Write(message)
		given = append(given, [2]string{hex.EncodeToString(key), hex.EncodeToString(message)})
		want = append(want, [2]string{hex.EncodeToString(sum[:]), hex.EncodeToString(m.Sum(nil))})
	}
	dir := t.TempDir()
	source, err := os.ReadFile("src/mule/sha256.ts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/sha256.mjs", plain(t, source), 0o600); err != nil {
		t.Fatal(err)
	}
	argument, _ := json.Marshal(given)
	node := exec.Command("node", "--input-type=module", "-e", `
		import { hex, hmac, sha256, unhex } from "./sha256.mjs";
		console.log(JSON.stringify(JSON.parse(process.argv[1]).map(([k, m]) => [hex(sha256(unhex(m))), hex(hmac(unhex(k), unhex(m)))])));`, string(argument))
	node.Dir = dir
	out, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(want) {
		t.Fatal(err, len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("of %d bytes: %v, want %v", len(given[i][1])/2, got[i], want[i])
		}
	}
}
