package s3

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/muleteer/muleteer/store"
)

// What servers answer where something is not there.
func missing(err error) bool {
	switch code(err) {
	case "NoSuchKey", "NoSuchUpload", "NotFound", "NoSuchVersion":
		return true
	}
	return false
}

// taken tells that a condition was not met: the key is somebody's. Of two who
// want it at the same moment one may be told of the conflict instead, and has
// to look again.
func taken(err error) bool {
	s := status(err)
	return s == http.StatusPreconditionFailed || s == http.StatusConflict && code(err) == "ConditionalRequestConflict"
}

// partsWrong tells that the server does not have the parts that it was told.
func partsWrong(err error) bool {
	switch code(err) {
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest", "XAmzContentChecksumMismatch":
		return true
	}
	return false
}

// translate says what an error means for the callers of a Store, where it
// means anything to them.
func translate(err error) error {
	if err == nil {
		return nil
	}
	switch code(err) {
	case "QuotaExceeded", "InsufficientStorage", "InsufficientCapacity", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "StorageFull", "NoSpaceLeft":
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	if status(err) == http.StatusInsufficientStorage {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// expected finds the region in what servers answer to a signature for another.
var expected = regexp.MustCompile(`expecting ['"]([a-z0-9-]+)['"]`)

// explain says on one line why the bucket cannot be used, and what to do.
func (s *Store) explain(err error) error {
	const rights = "s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject, " +
		"s3:AbortMultipartUpload and s3:ListMultipartUploadParts"
	region := ""
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		region = answer.Response.Header.Get("x-amz-bucket-region")
	}
	ours := s.client.Options().Region
	switch c := code(err); {
	case region != "" && region != ours,
		c == "PermanentRedirect", c == "AuthorizationHeaderMalformed", c == "IllegalLocationConstraintException":
		if m := expected.FindStringSubmatch(err.Error()); region == "" && m != nil {
			region = m[1]
		}
		region = cmp.Or(region, "REGION")
		return fmt.Errorf("the bucket %s is not in the region %s: add region=%s to --store", s.bucket, ours, region)
	case c == "InvalidAccessKeyId", c == "SignatureDoesNotMatch", c == "InvalidToken", c == "ExpiredToken", c == "InvalidClientTokenId",
		c == "XAdminUserNotFound": // versitygw's, with status 404
		return fmt.Errorf("the server does not accept the credentials (%s): correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile", c)
	case c == "NoSuchBucket", status(err) == http.StatusNotFound && s.sse == "":
		return fmt.Errorf("there is no bucket %s: make it, or correct --store", s.bucket)
	case c == "InvalidStorageClass":
		return fmt.Errorf("the server has no storage class %s: correct class= in --store", s.class)
	case s.sse != "" && (bad(err) || status(err) == http.StatusNotFound): // of the key
		return fmt.Errorf("the server does not encrypt as sse=%s wants it (%s): correct sse= and kms-key= in --store, or set up the server's keys", s.sse, shortly(err))
	case c == "RequestTimeTooSkewed", c == "RequestExpired":
		return errors.New("the clock of this machine differs from the server's: set it, best by NTP")
	case c == "AccessDenied", status(err) == http.StatusForbidden:
		return fmt.Errorf("the credentials may not do with the bucket %s what is needed: they need %s", s.bucket, rights)
	case status(err) == 0:
		return fmt.Errorf("%s does not answer (%s): correct endpoint= in --store, or start it", s.place, shortly(err))
	}
	return fmt.Errorf("the bucket %s cannot be used: %s", s.bucket, shortly(err))
}
