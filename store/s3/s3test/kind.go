package s3test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// kind is a program that serves S3, and how it is run over a directory of its
// own. It must not use the network for anything else.
type kind struct {
	name   string // of the program in build, and of the folder in tools that pins it
	module string
	main   string // package of the program
	args   func(address, dir string, sidecar bool) []string
	env    []string
}

// Where a server keeps what it has, below its directory.
const (
	buckets = "buckets" // a folder for each
	beside  = "beside"  // whatever else it wants to keep
)

// chosen is the kind that the environment asks for: versitygw, unless
// MULETEER_TEST_S3 says minio.
func chosen() (kind, error) {
	name := os.Getenv("MULETEER_TEST_S3")
	for _, k := range []kind{versitygw(), minio()} {
		if k.name == name || name == "" {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("MULETEER_TEST_S3=%s: there are versitygw and minio", name)
}

func versitygw() kind {
	return kind{
		name: "versitygw", module: "github.com/versity/versitygw", main: "github.com/versity/versitygw/cmd/versitygw",
		args: func(address, dir string, sidecar bool) []string {
			args := []string{"--port", address, "--keep-alive", "--quiet",
				"--access", AccessKey, "--secret", SecretKey, "--region", Region, "posix"}
			if sidecar {
				args = append(args, "--sidecar", filepath.Join(dir, beside))
			}
			return append(args, filepath.Join(dir, buckets))
		},
	}
}

// minio encrypts with one key, has no console, does not look for newer versions, and reads nothing of
// the home directory.
func minio() kind {
	return kind{
		name: "minio", module: "github.com/minio/minio", main: "github.com/minio/minio",
		args: func(address, dir string, _ bool) []string {
			return []string{"server", "--quiet", "--address", address, "--console-address", "127.0.0.1:0",
				"--certs-dir", filepath.Join(dir, beside), filepath.Join(dir, buckets)}
		},
		env: []string{
			"MINIO_ROOT_USER=" + AccessKey, "MINIO_ROOT_PASSWORD=" + SecretKey, "MINIO_SITE_REGION=" + Region,
			"MINIO_KMS_SECRET_KEY=muleteer:" + base64.StdEncoding.EncodeToString([]byte("this is 32 bytes, and no secret.")),
			"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
		},
	}
}
