package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/minio/crc64nvme"
)

// CRC is a CRC-64/NVME checksum, as S3 computes it for x-amz-checksum-crc64nvme
// (polynomial 0xad93d23594c93659, reflected, initial value and final XOR all
// ones). The zero value is the checksum of no bytes.
type CRC uint64

// poly is the reflected polynomial.
const poly = 0x9a6c9329ac4bc9b5

// Update returns the checksum of the bytes that c is of, followed by p.
func (c CRC) Update(p []byte) CRC { return CRC(crc64nvme.Update(uint64(c), p)) }

// Append returns the checksum of the bytes that c is of, followed by n bytes
// that d is of, without reading either. It costs about 64 polynomial
// multiplications at most, whatever n is.
//
// With initial value and final XOR equal, crc(A‖B) = crc(A)·x^(8·|B|) ⊕ crc(B)
// over GF(2) modulo the polynomial.
func (c CRC) Append(d CRC, n int64) CRC {
	shift := CRC(1 << 63) // the polynomial 1, in reflected order
	power := xPow8
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			shift = multiply(shift, power)
		}
		power = multiply(power, power)
	}
	return multiply(c, shift) ^ d
}

// xPow8 is the polynomial x^8, by which one zero byte multiplies.
const xPow8 = CRC(1 << (63 - 8))

// multiply returns a·b modulo the polynomial; bit 63 is the coefficient of
// x^0.
func multiply(a, b CRC) CRC {
	var r CRC
	for a != 0 {
		if a>>63 == 1 {
			r ^= b
		}
		a <<= 1
		low := b & 1
		b >>= 1
		if low == 1 {
			b ^= poly
		}
	}
	return r
}

// String returns the checksum as S3 writes it: base64 of the eight bytes,
// most significant first.
func (c CRC) String() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(c)))
}

// ParseCRC reads what String writes.
func ParseCRC(s string) (CRC, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("a CRC-64/NVME is 8 bytes in base64, not %q", s)
	}
	return CRC(binary.BigEndian.Uint64(b)), nil
}
