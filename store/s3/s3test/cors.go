package s3test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
)

// Cors gives a bucket rules for pages of other origins, as AWS' own tools take
// them: {"CORSRules": […]}.
func (s *Server) Cors(ctx context.Context, bucket, rules string) error {
	var all struct {
		XMLName xml.Name `json:"-" xml:"http://s3.amazonaws.com/doc/2006-03-01/ CORSConfiguration"`
		Rules   []struct {
			AllowedOrigins []string `xml:"AllowedOrigin"`
			AllowedMethods []string `xml:"AllowedMethod"`
			AllowedHeaders []string `xml:"AllowedHeader"`
			ExposeHeaders  []string `xml:"ExposeHeader"`
			MaxAgeSeconds  int
		} `json:"CORSRules" xml:"CORSRule"`
	}
	if err := json.Unmarshal([]byte(rules), &all); err != nil {
		return err
	}
	body, err := xml.Marshal(all)
	if err != nil {
		return err
	}
	sum := md5.Sum(body) // the operation wants it
	resp, err := s.Do(ctx, http.MethodPut, "/"+bucket+"?cors=", body, "Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the rules of %s: %s", bucket, resp.Status)
	}
	return nil
}
