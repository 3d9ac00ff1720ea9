package state

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// keep returns a copy of u that shares nothing with it, without its parts and
// with its times as states keep them.
func keep(u *upload.Record) upload.Record {
	r := *u
	r.Meta.Fields, r.Meta.Wire = maps.Clone(u.Meta.Fields), maps.Clone(u.Meta.Wire)
	r.Meta.Pieces = slices.Clone(u.Meta.Pieces)
	for i, p := range r.Meta.Pieces {
		r.Meta.Pieces[i].Bytes = bytes.Clone(p.Bytes)
	}
	r.Meta.Answer = r.Meta.Answer.Clone()
	r.Sources, r.Parts = slices.Clone(u.Sources), nil
	r.Began, r.Touched, r.Due = moment(stamp(u.Began)), moment(stamp(u.Touched)), moment(stamp(u.Due))
	return r
}

// claims tells whether no other upload may have the fingerprint of u.
func claims(u *upload.Record) bool { return u.Fingerprint != "" && u.Phase < upload.Held }

// The bits of the column flags.
const (
	flagPartial = 1 << iota
	flagCleared
	flagHidden
	flagOverwrite
	flagJoined
)

func flags(u *upload.Record) int64 {
	return flag(u.Partial, flagPartial) | flag(u.Cleared, flagCleared) |
		flag(u.Hidden, flagHidden) | flag(u.Overwrite, flagOverwrite) | flag(u.Joined, flagJoined)
}

// flag is bit if set, else 0.
func flag(set bool, bit int64) int64 {
	if set {
		return bit
	}
	return 0
}

// read makes a record of the columns.
func read(row []driver.Value) (key int64, u *upload.Record, err error) {
	n := func(i int) int64 { return number(row[i]) }
	s := func(i int) string { return text(row[i]) }
	bits := n(9)
	u = &upload.Record{
		Object: store.Object{
			ID: s(1), Key: s(15), Type: s(16), Size: n(17), Grid: store.Grid{Cell: n(18), Widen: n(19)},
			Epoch: n(20), Token: s(21), Hidden: bits&flagHidden != 0, Overwrite: bits&flagOverwrite != 0,
			Joined: bits&flagJoined != 0,
		},
		Endpoint: s(25), Owner: s(2), Protocol: s(3), Fingerprint: s(4), File: s(26),
		Sources: strings.Fields(s(6)),
		Phase:   upload.Phase(n(7)), Version: n(8),
		Partial: bits&flagPartial != 0, Cleared: bits&flagCleared != 0,
		Began: moment(n(10)), Touched: moment(n(11)), Due: moment(n(12)),
		Offset: n(13), Here: n(14),
		Final: store.Final{Size: n(22), CRC: store.CRC(n(23)), Key: s(24)},
	}
	if len(u.Sources) == 0 {
		u.Sources = nil
	}
	u.Meta, err = unpack(s(5))
	if err != nil {
		return 0, nil, fmt.Errorf("upload %s: metadata: %w", u.ID, err)
	}
	return n(0), u, nil
}

// readPart makes a part of its columns.
func readPart(row []driver.Value) store.Part {
	return store.Part{
		Extent:  extent.Extent{Start: number(row[0]), End: number(row[1])},
		CRC:     store.CRC(number(row[2])),
		Receipt: text(row[3]),
		Crumb:   number(row[4]) != 0,
	}
}

// pack writes metadata as JSON. Strings that are not UTF-8, which JSON cannot
// say, are kept in base64 behind a NUL.
func pack(m upload.Meta) (string, error) {
	m = wrap(m, func(s string) string {
		if utf8.ValidString(s) && !strings.HasPrefix(s, "\x00") {
			return s
		}
		return "\x00" + base64.StdEncoding.EncodeToString([]byte(s))
	})
	b, err := json.Marshal(m)
	return string(b), err
}

// unpack is the inverse of pack.
func unpack(s string) (upload.Meta, error) {
	var m upload.Meta
	if s == "{}" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return m, err
	}
	if !strings.Contains(s, `\u0000`) {
		return m, nil
	}
	var broken error
	m = wrap(m, func(s string) string {
		coded, ok := strings.CutPrefix(s, "\x00")
		if !ok {
			return s
		}
		b, err := base64.StdEncoding.DecodeString(coded)
		if err != nil {
			broken = err
		}
		return string(b)
	})
	return m, broken
}

// wrap returns m with every string, keys included, passed through f.
func wrap(m upload.Meta, f func(string) string) upload.Meta {
	each := func(in map[string]string) map[string]string {
		if in == nil {
			return nil
		}
		out := make(map[string]string, len(in))
		for k, v := range in {
			out[f(k)] = f(v)
		}
		return out
	}
	m.Name, m.Path, m.Fields, m.Wire = f(m.Name), f(m.Path), each(m.Fields), each(m.Wire)
	return m
}
