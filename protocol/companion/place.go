package companion

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// A place is where a part goes.
type place struct {
	URL     string `json:"url"`
	Expires int64  `json:"expires"` // seconds
}

// part tells where a part goes.
func (h *handler) part(w http.ResponseWriter, r *http.Request, id, number string) error {
	at, err := h.places(r, id, number)
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, at[number])
	return nil
}

// batch tells where some go.
func (h *handler) batch(w http.ResponseWriter, r *http.Request, id string) error {
	at, err := h.places(r, id, strings.Split(r.URL.Query().Get("partNumbers"), ",")...)
	if err != nil {
		return err
	}
	urls := map[string]string{}
	for number, p := range at {
		urls[number] = p.URL
	}
	wire.JSON(w, http.StatusOK, struct {
		URLs map[string]string `json:"presignedUrls"`
	}{urls})
	return nil
}

// batchLimit is how many URLs are given at once.
const batchLimit = 1000

// places returns where parts go, by their numbers.
func (h *handler) places(r *http.Request, id string, numbers ...string) (map[string]place, error) {
	key := r.URL.Query().Get("key")
	u, err := h.owned(r.Context(), id, key)
	if err != nil {
		return nil, err
	}
	if len(numbers) > batchLimit {
		return nil, fmt.Errorf("%d URLs are given at once at most: %w", batchLimit, upload.ErrInvalid)
	}
	if err := may(r.Context(), upload.MayWrite); err != nil {
		return nil, err
	}
	at := map[string]place{}
	for _, text := range numbers {
		number, err := partNumber(text)
		if err != nil {
			return nil, err
		}
		if at[text], err = h.place(r, u, key, number); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// place returns where a part goes: to us, or straight into the store. There it is
// put without a header of ours; the length and the checksum of what comes, which
// the client has not told, are what the store lists.
func (h *handler) place(r *http.Request, u *upload.Record, key string, number int64) (place, error) {
	if !u.Meta.Blind {
		return place{h.url(r, ticket{Do: "part", Key: key, Upload: u.ID, Number: number}), int64(partLife.Seconds())}, nil
	}
	signed, err := h.s.SignNumbered(r.Context(), u.ID, number)
	if errors.Is(err, upload.ErrIndirect) || len(signed.Header) > 0 { // which these clients do not send
		err = errAnew
	}
	return place{signed.URL, int64(time.Until(signed.Until).Seconds())}, err
}

func partNumber(text string) (int64, error) {
	n, err := wire.Int(text)
	if err != nil || n < 1 || n > upload.MaxNumber {
		return 0, fmt.Errorf("%.10q is no number of a part, which are from 1 to %d: %w", text, upload.MaxNumber, upload.ErrInvalid)
	}
	return n, nil
}
