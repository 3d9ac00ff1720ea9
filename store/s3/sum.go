package s3

import (
	"crypto/md5"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/muleteer/muleteer/store"
)

// The checksums that a server may check, the best first. CRC-64/NVME is what
// we compute anyway, and it can be had for a whole object without reading it
// again. With none of them only sizes are compared.
const (
	sumCRC64  = "crc64nvme"
	sumCRC32C = "crc32c"
	sumMD5    = "md5"
	sumNone   = "none"
)

func sums() []string { return []string{sumCRC64, sumCRC32C, sumMD5, sumNone} }

// sum is a checksum as a request carries it.
type sum struct{ algorithm, value string }

// sumOf returns the checksum of a body for the server. The CRC is what is known
// of it; other checksums have to read it.
func sumOf(algorithm string, crc store.CRC, body io.ReadSeeker) (sum, error) {
	var h hash.Hash
	switch algorithm {
	case sumCRC64:
		return sum{algorithm, crc.String()}, nil
	case sumCRC32C:
		h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case sumMD5:
		h = md5.New()
	default:
		return sum{algorithm, ""}, nil
	}
	if _, err := io.Copy(h, body); err != nil {
		return sum{}, err
	}
	_, err := body.Seek(0, io.SeekStart)
	return sum{algorithm, base64.StdEncoding.EncodeToString(h.Sum(nil))}, err
}

// header returns the value if this is the algorithm, else nil.
func (c sum) header(algorithm string) *string {
	if c.algorithm != algorithm {
		return nil
	}
	return aws.String(c.value)
}

func (c sum) onPart(in *s3.UploadPartInput) {
	in.ChecksumCRC64NVME, in.ChecksumCRC32C, in.ContentMD5 = c.header(sumCRC64), c.header(sumCRC32C), c.header(sumMD5)
}

func (c sum) onObject(in *s3.PutObjectInput) {
	in.ChecksumCRC64NVME, in.ChecksumCRC32C, in.ContentMD5 = c.header(sumCRC64), c.header(sumCRC32C), c.header(sumMD5)
}

// onUpload says which checksum the parts and the whole will have. Others than
// CRC-64 are checked part by part only.
func onUpload(algorithm string, in *s3.CreateMultipartUploadInput) {
	if algorithm == sumCRC64 {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
}

// disagrees tells whether a server computed something else than we.
func disagrees(told *string, crc store.CRC) bool {
	return told != nil && *told != "" && *told != crc.String()
}
