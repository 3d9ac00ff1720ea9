package hook_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muleteer/muleteer/hook"
	"github.com/muleteer/muleteer/upload"
)

// script writes an executable file and returns its path.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no shell")
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func program(t *testing.T, command string, timeout time.Duration, f hook.Form) upload.Hook {
	t.Helper()
	p, err := hook.NewProgram(command, timeout)
	if err != nil {
		t.Fatal(err)
	}
	return hook.New(p, f)
}

func TestProgram(t *testing.T) {
	t.Setenv("MULETEER_HOOK_SECRET", "SECRET")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	path := script(t, dir, "ask", `cat >"$1"; env >>"$1"; echo '{"key":"chosen"}'`)
	v, err := program(t, path+" "+seen, 0, hook.Ours{})(context.Background(), turn(upload.Creating))
	if err != nil || v.Key != "chosen" {
		t.Fatalf("%v %v", v, err)
	}
	b, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"creating"`, "MULETEER_TURN=creating", "MULETEER_UPLOAD=5D892C228EC8D0451DFEC588", "PATH="} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	if strings.Contains(string(b), "SECRET") {
		t.Errorf("the program sees a secret: %s", b)
	}
}

func TestProgramTrouble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"fails":   `echo '{}'; echo why >&2; exit 3`,
		"endless": `while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done`,
		"slow":    `sleep 60`,
		"garbage": `echo no`,
	} {
		began := time.Now()
		timeout := time.Second
		if name == "endless" {
			timeout = 30 * time.Second
		}
		_, err := program(t, script(t, dir, name, text), timeout, hook.Ours{})(context.Background(), turn(upload.Completing))
		if err == nil || errors.Is(err, upload.ErrRefused) || time.Since(began) > 20*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		if name == "fails" && !strings.Contains(fmt.Sprint(err), "why") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, command := range []string{"", " ", filepath.Join(dir, "nosuch")} {
		if _, err := hook.NewProgram(command, 0); err == nil {
			t.Errorf("%q is a program", command)
		}
	}
}

// A program that has to end ends with what it has started.
func TestProgramEndsTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := script(t, dir, "parent", `sleep 300 & echo $! >"$1"; wait`)
	pid := filepath.Join(dir, "pid")
	if _, err := program(t, path+" "+pid, time.Second, hook.Ours{})(context.Background(), turn(upload.Completing)); err == nil {
		t.Fatal("it had no end")
	}
	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		state, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(child)).Output()
		if syscall.Kill(child, 0) != nil || strings.HasPrefix(strings.TrimSpace(string(state)), "Z") {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the child lives on")
		}
	}
}

// tusd's directory of hooks: one file for each, and those that are missing are
// passed over.
func TestProgramsOfTusd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script(t, dir, "pre-create", `printf '{"HTTPResponse":{"StatusCode":402,"Body":"%s %s"},"RejectUpload":true}' "[$TUS_ID]" "$TUS_SIZE"`)
	script(t, dir, "pre-finish", `exit 1`)
	h := program(t, dir, 0, hook.Tusd{})
	_, err := h(context.Background(), turn(upload.Creating))
	var refusal *upload.Refusal
	if !errors.As(err, &refusal) || refusal.Status != 402 || refusal.Reason != "[] 432724" {
		t.Errorf("%v", err)
	}
	if _, err := h(context.Background(), turn(upload.Completing)); err == nil {
		t.Error("an exit code of 1 is a yes")
	}
	for _, k := range []upload.Kind{upload.Created, upload.Completed, upload.FirstBytes} {
		if _, err := h(context.Background(), turn(k)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}
