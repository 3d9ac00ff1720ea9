package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

type tokenCommand struct {
	Token string `arg:"" optional:"" name:"token" help:"A token, or - for one on standard input: tells what it says instead of making one."`

	Owner     string            `placeholder:"NAME" help:"Whose the uploads are (sub)."`
	Expires   span              `default:"24h" placeholder:"TIME" help:"For how long it is good (default: 24h)."`
	NotBefore span              `placeholder:"TIME" help:"It is good only after so long."`
	Endpoint  string            `placeholder:"NAME" help:"For which target (default: the one that there always is)."`
	Verb      []string          `placeholder:"VERB" help:"What it permits: create, write, status, read, remove, manage; may be given several times (default: all but manage)."`
	Upload    string            `placeholder:"ID" help:"The one upload that it is for."`
	MaxSize   size              `placeholder:"SIZE" help:"The largest file."`
	MaxOpen   int64             `placeholder:"N" help:"How many unfinished uploads its owner may have."`
	Quota     size              `placeholder:"SIZE" help:"How much its owner may have in all."`
	Type      []string          `placeholder:"TYPE" help:"Which media types a file may have, as image/*; may be given several times."`
	Prefix    string            `placeholder:"PATH" help:"What stands before the place of a file in the store."`
	Field     map[string]string `placeholder:"NAME=VALUE" help:"What is kept with each file; may be given several times."`
	Data      string            `placeholder:"JSON" help:"What hooks are told."`
	Audience  string            `env:"MULETEER_TOKEN_AUDIENCE" placeholder:"NAME" help:"For whom it is (aud)."`
	Issuer    string            `env:"MULETEER_TOKEN_ISSUER" placeholder:"NAME" help:"From whom it is (iss)."`
	Secrets   secrets           `embed:""`
	JSON      bool              `name:"json" help:"Tell it in a line of JSON."`
}

// Run makes a token, or looks at one.
func (k tokenCommand) Run(ctx context.Context, c console) error {
	if k.Token != "" {
		return k.inspect(ctx, c)
	}
	claims, err := k.claims(time.Now())
	if err != nil {
		return &failure{exitUsage, err}
	}
	token, err := k.Secrets.mint(claims)
	if err != nil {
		return &failure{exitUsage, err}
	}
	if k.JSON {
		return json.NewEncoder(c.out).Encode(struct {
			Token  string         `json:"token"`
			Claims *access.Claims `json:"claims"`
		}{token, claims})
	}
	fmt.Fprintln(c.err, summary(claims))
	_, err = fmt.Fprintln(c.out, token)
	return err
}

// mint signs claims by the first secret.
func (s secrets) mint(c *access.Claims) (string, error) {
	if !s.given() {
		return "", errors.New("tokens are signed by a secret that the server has too: give --token-secret-file, or MULETEER_TOKEN_SECRET")
	}
	words, err := s.read()
	if err != nil {
		return "", err
	}
	token, err := access.Mint(c, words[0])
	if err != nil {
		return "", fmt.Errorf("such a token would permit nothing: %s", strings.TrimPrefix(err.Error(), access.ErrBad.Error()+": "))
	}
	return token, nil
}

func (k tokenCommand) claims(now time.Time) (*access.Claims, error) {
	now = now.Truncate(time.Second)
	if k.Owner == "" && k.Upload == "" {
		return nil, errors.New("whose are the uploads? Write: muleteer token --owner NAME")
	}
	c := &access.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: k.Owner, Issuer: k.Issuer, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Duration(k.Expires))),
		},
		Permit: access.Permit{
			MaxSize: int64(k.MaxSize), MaxOpen: k.MaxOpen, Quota: int64(k.Quota), Types: k.Type, Prefix: k.Prefix, Fields: k.Field,
		},
		Endpoint: k.Endpoint, Upload: k.Upload,
	}
	if k.Audience != "" {
		c.Audience = jwt.ClaimStrings{k.Audience}
	}
	if k.NotBefore > 0 {
		c.NotBefore = jwt.NewNumericDate(now.Add(time.Duration(k.NotBefore)))
	}
	for _, v := range k.Verb {
		c.Verbs = append(c.Verbs, upload.Verb(v))
	}
	if k.Data != "" {
		if !json.Valid([]byte(k.Data)) {
			return nil, errors.New(`--data is no JSON: write '{"order": 7}'`)
		}
		c.Data = json.RawMessage(k.Data)
	}
	return c, nil
}

// inspect tells what a token says, and, with a secret, whether it is good.
func (k tokenCommand) inspect(ctx context.Context, c console) error {
	token := k.Token
	if token == "-" {
		line, err := bufio.NewReader(io.LimitReader(c.in, 64<<10)).ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		token = strings.TrimSpace(line)
	}
	claims, algorithm, err := access.Read(token)
	if err != nil {
		return &failure{exitUsage, err}
	}
	trouble, err := k.verify(ctx, token)
	if err != nil {
		return &failure{exitUsage, err}
	}
	if k.JSON {
		err = json.NewEncoder(c.out).Encode(struct {
			Algorithm string         `json:"algorithm"`
			Claims    *access.Claims `json:"claims"`
			Verified  bool           `json:"verified"`
			Trouble   string         `json:"trouble,omitempty"`
		}{algorithm, claims, k.Secrets.given() && trouble == "", trouble})
	} else {
		text := summary(claims)
		switch {
		case trouble != "":
			text += "\nIt is not good: " + trouble
		case k.Secrets.given():
			text += "\nIt is good: signed by a secret that was given (" + algorithm + ")."
		default:
			text += "\nWhether it is good was not looked at: give --token-secret-file for that (" + printable(algorithm) + ")."
		}
		_, err = fmt.Fprintln(c.out, text)
	}
	if err == nil && trouble != "" {
		return &failure{exitError, nil}
	}
	return err
}

// verify tells what is wrong with a token; nothing without a secret.
func (k tokenCommand) verify(ctx context.Context, token string) (trouble string, err error) {
	if !k.Secrets.given() {
		return "", nil
	}
	words, err := k.Secrets.read()
	if err != nil {
		return "", err
	}
	verifier := &access.Tokens{Secrets: words, Audience: k.Audience, Issuer: k.Issuer}
	c, bad := verifier.Verify(ctx, token)
	if bad == nil {
		bad = c.Check()
	}
	if bad != nil {
		trouble = strings.TrimPrefix(bad.Error(), access.ErrBad.Error()+": ")
	}
	return trouble, nil
}

// summary tells of claims in words, a line for each.
func summary(c *access.Claims) string {
	var lines []string
	add := func(has bool, name, text string) {
		if has {
			lines = append(lines, fmt.Sprintf("%-10s%s", name, printable(text)))
		}
	}
	verbs := make([]string, len(c.Verbs))
	for i, v := range c.Verbs {
		verbs[i] = string(v)
	}
	add(c.Subject != "", "owner", c.Subject)
	add(c.ExpiresAt != nil, "until", when(c.ExpiresAt))
	add(c.NotBefore != nil, "from", when(c.NotBefore))
	add(c.Endpoint != "", "endpoint", c.Endpoint)
	add(c.Upload != "", "upload", c.Upload)
	add(len(verbs) > 0, "may", strings.Join(verbs, ", "))
	add(c.MaxSize != 0, "size", "up to "+size(c.MaxSize).String())
	add(c.MaxOpen != 0, "open", fmt.Sprintf("up to %d uploads", c.MaxOpen))
	add(c.Quota != 0, "in all", "up to "+size(c.Quota).String())
	add(len(c.Types) > 0, "types", strings.Join(c.Types, ", "))
	add(c.Prefix != "", "below", c.Prefix)
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		add(true, "field", name+"="+c.Fields[name])
	}
	add(len(c.Data) > 0, "data", string(c.Data))
	add(len(c.Audience) > 0, "for", strings.Join(c.Audience, ", "))
	add(c.Issuer != "", "from", c.Issuer)
	return strings.Join(lines, "\n")
}

func when(d *jwt.NumericDate) string {
	if d == nil {
		return ""
	}
	return d.UTC().Format(time.RFC3339)
}

type linkCommand struct {
	What    string  `arg:"" name:"id" help:"The id of an upload, or its URL."`
	Server  string  `name:"url" env:"MULETEER_URL" default:"http://127.0.0.1:8080" help:"The server (default: http://127.0.0.1:8080)."`
	Expires span    `default:"7d" placeholder:"TIME" help:"For how long it is good (default: 7d)."`
	Secrets secrets `embed:""`
	JSON    bool    `name:"json" help:"Tell it in a line of JSON."`

	Endpoint string `placeholder:"NAME" help:"At which target it is (default: the one that there always is)."`
	Audience string `env:"MULETEER_TOKEN_AUDIENCE" placeholder:"NAME" help:"For whom it is (aud)."`
	Issuer   string `env:"MULETEER_TOKEN_ISSUER" placeholder:"NAME" help:"From whom it is (iss)."`
}

// Run makes a link. The server is not asked: it has the secret too.
func (k linkCommand) Run(c console) error {
	id, base := k.What, k.Server
	if isURL(k.What) {
		var found bool
		if base, id, found = strings.Cut(k.What, "/files/"); !found {
			return &failure{exitUsage, errors.New("this is no URL of a file at a server: it has no /files/")}
		}
		id, _, _ = strings.Cut(id, "?")
	}
	if !wire.ID(id) {
		return &failure{exitUsage, fmt.Errorf("%q is no id of an upload, as “muleteer ls” tells them", id)}
	}
	base, err := parseServer(base)
	if err != nil {
		return &failure{exitUsage, err}
	}
	claims, err := tokenCommand{
		Upload: id, Verb: []string{string(upload.MayRead)}, Expires: k.Expires, Endpoint: k.Endpoint, Audience: k.Audience, Issuer: k.Issuer,
	}.claims(time.Now())
	if err != nil {
		return err
	}
	token, err := k.Secrets.mint(claims)
	if err != nil {
		return &failure{exitUsage, err}
	}
	link := base + "/files/" + id + "?" + url.Values{"token": {token}}.Encode()
	if k.JSON {
		return json.NewEncoder(c.out).Encode(map[string]any{"url": link, "until": when(claims.ExpiresAt)})
	}
	_, err = fmt.Fprintln(c.out, link)
	return err
}
