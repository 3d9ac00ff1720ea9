package s3

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/muleteer/muleteer/store"
)

// answer is an error as the SDK tells it.
func answer(status int, code string, header ...string) error {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &smithy.OperationError{Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: h}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "so it is"},
	}}}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		full bool
	}{
		{answer(507, "XMinioStorageFull"), true},
		{answer(403, "QuotaExceeded"), true},
		{answer(507, "Whatever"), true},
		{answer(503, "SlowDown"), false},
		{answer(404, "NoSuchUpload"), false},
		{errors.New("reset"), false},
	} {
		if err := translate(c.err); errors.Is(err, store.ErrFull) != c.full || errors.Is(err, store.ErrGone) || !errors.Is(err, c.err) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
	if translate(nil) != nil {
		t.Error("nothing is an error")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := &Store{place: place{bucket: "photos", endpoint: "http://127.0.0.1:9000"}, client: s3.New(s3.Options{Region: "eu-north-1"})}
	for _, c := range []struct {
		err  error
		want string
	}{
		{answer(404, "NoSuchBucket"), "there is no bucket photos: make it"},
		{answer(403, "AccessDenied"), "s3:AbortMultipartUpload"},
		{answer(403, "InvalidAccessKeyId"), "AWS_ACCESS_KEY_ID"},
		{answer(403, "SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY"},
		{answer(403, "RequestTimeTooSkewed"), "clock of this machine"},
		{answer(400, "AuthorizationHeaderMalformed"), "add region=REGION"},
		{fmt.Errorf("%w; expecting 'us-east-2'", answer(400, "AuthorizationHeaderMalformed")), "add region=us-east-2"},
		{answer(301, "PermanentRedirect", "x-amz-bucket-region", "eu-west-1"), "not in the region eu-north-1: add region=eu-west-1"},
		{answer(403, "AccessDenied", "x-amz-bucket-region", "eu-north-1"), "s3:ListBucket"},
		{errors.New("dial tcp: connection refused"), "does not answer (dial tcp: connection refused)"},
		{answer(500, "InternalError"), "the bucket photos cannot be used: api error InternalError: so it is"},
	} {
		if got := s.explain(c.err).Error(); !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%v: %s", c.err, got)
		}
	}
}
