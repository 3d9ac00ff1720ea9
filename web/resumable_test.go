package web_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// documented are all names of Resumable.js' documentation.
var documented = map[string]string{
	"option": `target testTarget chunkSize forceChunkSize simultaneousUploads fileParameterName chunkNumberParameterName
		totalChunksParameterName chunkSizeParameterName totalSizeParameterName identifierParameterName fileNameParameterName
		relativePathParameterName currentChunkSizeParameterName typeParameterName query testMethod uploadMethod
		parameterNamespace headers method prioritizeFirstAndLastChunk testChunks preprocess preprocessFile
		generateUniqueIdentifier maxFiles maxFilesErrorCallback minFileSize minFileSizeErrorCallback maxFileSize
		maxFileSizeErrorCallback fileType fileTypes fileTypeErrorCallback maxChunkRetries permanentErrors chunkRetryInterval
		withCredentials xhrTimeout setChunkTypeFromFile dragOverClass throttleProgressCallbacks chunkFormat clearInput`,
	"property": `support opts files`,
	"method": `assignBrowse assignDrop on upload pause cancel progress isUploading addFile addFiles removeFile
		getFromUniqueIdentifier getSize`,
	"event": `fileSuccess fileProgress fileAdded filesAdded fileRetry fileError uploadStart complete progress error pause
		beforeCancel cancel chunkingStart chunkingProgress chunkingComplete catchAll`,
	"file": `resumableObj file fileName relativePath size uniqueIdentifier chunks
		progress abort cancel retry bootstrap`,
}

// TestResumable has a test for each name of the documentation, against the real
// server. The scripts, which have no document, do not open windows; what needs
// one is in TestDemo.
func TestResumable(t *testing.T) {
	t.Parallel()
	s := serve(t, "--demo", "resumable")
	var stderr bytes.Buffer
	c := exec.Command("node", "--no-warnings", "testdata/resumable.mjs", "http://"+s.address)
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	passed := map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var test struct{ Name, Error string }
		if json.Unmarshal(lines.Bytes(), &test) != nil {
			continue
		}
		passed[test.Name] = true
		t.Run(test.Name, func(t *testing.T) {
			if test.Error != "" {
				t.Error(test.Error)
			}
		})
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	for kind, names := range documented {
		for name := range strings.FieldsSeq(names) {
			if !passed[kind+" "+name] {
				t.Errorf("nothing tries the %s %s", kind, name)
			}
		}
	}
}
