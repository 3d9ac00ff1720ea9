package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Secret is a key by which messages are signed, so that their receiver knows
// where they come from: https://www.standardwebhooks.com.
type Secret []byte

// ParseSecret reads a secret: "whsec_" and 24 to 64 bytes in base64.
func ParseSecret(s string) (Secret, error) {
	coded, found := strings.CutPrefix(s, "whsec_")
	if !found {
		return nil, errors.New("a secret begins with whsec_")
	}
	b, err := base64.StdEncoding.DecodeString(coded)
	switch {
	case err != nil:
		return nil, errors.New("after whsec_ a secret is base64") // the error has a piece of it
	case len(b) < 24 || len(b) > 64:
		return nil, fmt.Errorf("a secret has 24 to 64 bytes in base64, not %d", len(b))
	}
	return b, nil
}

// sign sets the headers by which a receiver verifies a message: one signature
// for each secret, so that they can be replaced one after the other.
func sign(h http.Header, secrets []Secret, id string, now time.Time, body []byte) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	var signatures []string
	for _, key := range secrets {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) > 0 {
		h.Set("webhook-signature", strings.Join(signatures, " "))
	}
}
