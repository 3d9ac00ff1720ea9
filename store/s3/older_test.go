package s3

import "testing"

// The variables of older upload servers name credentials where nothing newer does.
func TestOlderCredentials(t *testing.T) {
	for _, c := range []struct {
		id, secret, usual string
		want              bool
	}{
		{"a", "b", "", true}, {"a", "", "", false}, {"", "b", "", false}, {"a", "b", "c", false}, {"", "", "", false},
	} {
		t.Setenv("AWS_ACCESS_KEY", c.id)
		t.Setenv("AWS_SECRET", c.secret)
		t.Setenv("AWS_ACCESS_KEY_ID", c.usual)
		p := olderCredentials()
		if (p != nil) != c.want {
			t.Errorf("%+v: %v", c, p)
		}
		if p == nil {
			continue
		}
		if got, err := p.Retrieve(t.Context()); err != nil || got.AccessKeyID != c.id || got.SecretAccessKey != c.secret {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
