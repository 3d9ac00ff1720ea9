package main

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"github.com/muleteer/muleteer/upload"
)

// Target is what can be said of one endpoint: of the one that there always is by
// flag, environment or file, of others below endpoints in the file, where what
// is not said is as it is for the first.
type Target struct {
	Key        string     `yaml:"key" env:"MULETEER_KEY" default:"${key}" placeholder:"TEMPLATE" help:"Where finished files appear in the store: {id} {name} {path} {owner} {date} (default: ${key})."`
	Overwrite  bool       `yaml:"overwrite" env:"MULETEER_OVERWRITE" help:"A finished file replaces what has its key already."`
	MaxSize    size       `yaml:"max-size" env:"MULETEER_MAX_SIZE" default:"50GiB" placeholder:"SIZE" help:"The largest file that is taken; 0 for no limit (default: 50GiB)."`
	Types      list       `yaml:"types" env:"MULETEER_TYPES" placeholder:"TYPE" help:"Media types that may come, as image/* or application/pdf, told by the content; may be given several times (default: all)."`
	OwnerOpen  int64      `name:"owner-uploads" yaml:"owner-uploads" env:"MULETEER_OWNER_UPLOADS" placeholder:"N" help:"How many unfinished uploads one owner may have; 0 for no limit (default: 0)."`
	OwnerBytes size       `name:"owner-bytes" yaml:"owner-bytes" env:"MULETEER_OWNER_BYTES" default:"0" placeholder:"SIZE" help:"How much one owner may have here, finished or not; 0 for no limit (default: 0)."`
	Expire     span       `yaml:"expire" env:"MULETEER_EXPIRE" default:"7d" placeholder:"TIME" help:"An unfinished upload is removed so long after its last byte (default: 7d)."`
	Lifetime   span       `yaml:"lifetime" env:"MULETEER_LIFETIME" placeholder:"TIME" help:"An unfinished upload is removed so long after it began, whatever comes (default: never)."`
	Keep       span       `yaml:"keep" env:"MULETEER_KEEP" placeholder:"TIME" help:"A finished file is removed after so long (default: never)."`
	Confirm    span       `yaml:"confirm" env:"MULETEER_CONFIRM" placeholder:"TIME" help:"A finished file is removed after so long unless the application has confirmed it by POST /uploads/ID/confirm (default: nobody has to)."`
	Quarantine bool       `yaml:"quarantine" env:"MULETEER_QUARANTINE" help:"A finished file appears only when somebody has released it by POST /uploads/ID/release."`
	ChunkSize  size       `yaml:"chunk-size" env:"MULETEER_CHUNK_SIZE,CHUNK_SIZE" default:"6291456" placeholder:"SIZE" help:"In what pieces clients are expected to send (default: 6MiB)."`
	MimeType   string     `yaml:"mime-type" env:"MULETEER_MIME_TYPE,MIME_TYPE" default:"application/octet-stream" placeholder:"TYPE" help:"Of files whose client names none (default: application/octet-stream)."`
	Limits     limits     `embed:"" yaml:",inline"`
	Allow      permission `embed:"" yaml:",inline"`
	Notices    notices    `embed:"" yaml:",inline"`
	Cors       list       `yaml:"cors" env:"MULETEER_CORS" placeholder:"ORIGIN" help:"Web origin whose pages may upload; may be given several times; * for all."`
}

// check tells what is wrong with a target of a server that is set so.
func (t *Target) check(s *settings) error {
	if err := upload.Template(t.Key).Check(); err != nil {
		return err
	}
	if t.ChunkSize < 1 {
		return errors.New("--chunk-size has to be at least 1 byte")
	}
	if t.OwnerOpen < 0 {
		return errors.New("--owner-uploads is a number from 0")
	}
	for _, kind := range t.Types {
		plain, parameters, err := mime.ParseMediaType(strings.Replace(kind, "*", "x", 1))
		if err != nil || len(parameters) > 0 || !strings.Contains(plain, "/") || strings.Contains(plain, "*") {
			return fmt.Errorf("--types %q is no media type: write image/png, or image/* for all images", kind)
		}
	}
	if slices.Contains(t.Cors, "*") && (t.Allow.AuthURL != "" || t.Allow.AuthHeader != "") {
		return errors.New("--cors * lets every page use what browsers send by themselves, as cookies, and an application or a proxy goes by those: name the origins")
	}
	if err := t.Allow.check(s.Proxies, s.TLS.ClientCA != ""); err != nil {
		return err
	}
	if err := t.Notices.check(); err != nil {
		return err
	}
	return t.checkOrigins()
}

// service is what takes the uploads of an endpoint, without its store and state.
func (t *Target) service(endpoint string) *upload.Service {
	var types []string
	if len(t.Types) > 0 {
		types = t.Types
	}
	return &upload.Service{
		Endpoint:    endpoint,
		Key:         upload.Template(t.Key),
		Overwrite:   t.Overwrite,
		Type:        t.MimeType,
		Chunk:       int64(t.ChunkSize),
		MaxSize:     int64(t.MaxSize),
		Quota:       upload.Quota{Open: t.OwnerOpen, Total: int64(t.OwnerBytes)},
		Types:       types,
		Sniff:       sniff,
		Expire:      time.Duration(t.Expire),
		Longest:     time.Duration(t.Lifetime),
		Keep:        time.Duration(t.Keep),
		Unconfirmed: time.Duration(t.Confirm),
		Hold:        t.Quarantine,
	}
}

// sniff tells the media type of what begins so.
func sniff(first []byte) string {
	found, _, _ := strings.Cut(mimetype.Detect(first).String(), ";")
	return found
}
