package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// How often a request is sent before its error is told, and the longest wait
// between: a client waits meanwhile, and comes again.
const (
	attempts   = 4
	maxBackoff = 5 * time.Second
)

// newClient returns a client for the place, with credentials of its own, or if
// that is nil with those of the usual chain: environment, profile, web identity,
// container, instance.
func newClient(ctx context.Context, p place, own aws.CredentialsProvider) (*s3.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(awshttp.NewBuildableClient()),
		// Checksums are sent as plain headers where they are known; trailers are
		// what many servers do not understand.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		config.WithRetryer(func() aws.Retryer { return retryer(maxBackoff) }),
	)
	if err != nil {
		return nil, fmt.Errorf("the settings of AWS cannot be read: %w", err)
	}
	if p.region != "" {
		cfg.Region = p.region
	}
	if cfg.Region == "" && p.endpoint == "" {
		return nil, errors.New("the region of the bucket is not known: add ?region=NAME to --store, or set AWS_REGION")
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // what other servers take, if they look at it
	}
	if own != nil {
		cfg.Credentials = own
	} else if c := olderCredentials(); c != nil {
		cfg.Credentials = c
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("there are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (%s)", shortly(err))
	}
	transport := newTransport(hangTimeout)
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok { // AWS_CA_BUNDLE
		transport.TLSClientConfig = c.GetTransport().TLSClientConfig
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.HTTPClient = &http.Client{Transport: transport, CheckRedirect: stay}
		if p.endpoint != "" {
			o.BaseEndpoint = aws.String(p.endpoint)
		}
		o.UsePathStyle = p.style == "path" || p.style == "" && o.BaseEndpoint != nil
		o.ContinueHeaderThresholdBytes = -1 // a round trip for each part
		o.DisableLogOutputChecksumValidationSkipped = true
	}), nil
}

// retryer repeats a request whose failure says nothing about the next try.
func retryer(longest time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, longest
		o.RateLimiter = noLimit{}
		// A request that waited somewhere for too long is told to be of another time.
		late := retry.RetryableErrorCode{Codes: map[string]struct{}{"RequestTimeTooSkewed": {}}}
		o.Retryables = append([]retry.IsErrorRetryable{late}, o.Retryables...)
	})
}

// hasty is for requests for which somebody waits, or which a look can settle.
func hasty(o *s3.Options) { o.Retryer = retryer(maxBackoff / 10) }

// stay follows no redirect: what is signed for one address is wrong at another,
// and the error says where the bucket is.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// noLimit lets every request be retried: when a store comes back, it should not
// matter how many failed before.
type noLimit struct{}

func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noLimit) AddTokens(uint) error { return nil }

// given are the credentials of the options, or nil.
func given(o Options) aws.CredentialsProvider {
	if o.Key == "" || o.Secret == "" {
		return nil
	}
	return credentials.NewStaticCredentialsProvider(o.Key, o.Secret, "")
}

// olderCredentials are those of the variables that older upload servers read,
// where the usual ones are not set.
func olderCredentials() aws.CredentialsProvider {
	id, secret := os.Getenv("AWS_ACCESS_KEY"), os.Getenv("AWS_SECRET")
	if id == "" || secret == "" || os.Getenv("AWS_ACCESS_KEY_ID") != "" {
		return nil
	}
	return credentials.NewStaticCredentialsProvider(id, secret, os.Getenv("AWS_SESSION_TOKEN"))
}

// unsigned sends a body without hashing it for the signature: TLS and the
// checksum protect it, and SHA-256 would cost more than all the rest.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

// code is what the server calls an error, empty if it never answered.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// status is the HTTP status of an error, 0 if the server never answered.
func status(err error) int {
	var e interface{ HTTPStatusCode() int }
	if errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}

// shortly is the last cause of an error, on one line.
func shortly(err error) string {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
