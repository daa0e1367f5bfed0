package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"portal.example/eventstore"
)

var dana = eventstore.Subject{Business: "acme", ID: "dana"}

func text(fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, keySize))
}

func openMaster(t *testing.T, value string) *Master {
	t.Helper()
	m, err := OpenMaster(value, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMasterFromTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := OpenMaster(text(1), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made a file nevertheless: %v", err)
	}
	for _, bad := range []string{
		" ", ",", "hunter2hunter2", text(1)[:40], text(1) + "," + text(2)[1:], base64.StdEncoding.EncodeToString(make([]byte, 33)),
	} {
		_, err := OpenMaster(bad, dir)
		if err == nil {
			t.Errorf("%q passed", bad)
			continue
		}
		if msg := err.Error(); !strings.HasPrefix(msg, Variable) || strings.Contains(msg, "\n") || strings.Contains(msg, "hunter2") {
			t.Errorf("%q is reported as %q", bad, msg)
		}
	}
}

func TestMasterFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data") // does not exist yet
	ids := make([]string, 16)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			m, err := OpenMaster("", dir)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = m.current().id
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Fatalf("processes that start together have the keys %q", ids)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != FileName {
		t.Errorf("left behind: %v", entries)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}

func TestMasterFileMustBePrivate(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o660, 0o604, 0o620} {
		path := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(path, []byte(text(1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenMaster("", filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

func TestDamagedMasterFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"empty": "", "cut": text(1)[:20], "long": strings.Repeat("A", 10_000)} {
		path := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := OpenMaster("", filepath.Dir(path)); err == nil {
			t.Errorf("%s: read as %v", name, m)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != content {
			t.Errorf("%s: overwritten", name)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if m, err := OpenMaster("", dir); err == nil {
		t.Errorf("a directory was read as %v", m)
	}
}

func TestWrappedKeysStayInTheirRow(t *testing.T) {
	t.Parallel()
	m := openMaster(t, text(1))
	wrapped, err := m.wrap(dana, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.unwrap(dana, m.current().id, wrapped); err != nil || string(got) != "secret" {
		t.Errorf("unwrapped %q, %v", got, err)
	}
	for _, other := range []eventstore.Subject{
		{Business: "acme", ID: "lee"}, {Business: "bolt", ID: "dana"}, {Business: "acmed", ID: "ana"}, {},
	} {
		if _, err := m.unwrap(other, m.current().id, wrapped); err == nil {
			t.Errorf("the key unwraps for %v", other)
		}
	}
	if _, err := openMaster(t, text(2)).unwrap(dana, m.current().id, wrapped); err == nil || !strings.Contains(err.Error(), m.current().id) {
		t.Errorf("without the master key: %v", err)
	}
}

func TestSeveralMasterKeys(t *testing.T) {
	t.Parallel()
	before := openMaster(t, text(1))
	during := openMaster(t, text(2)+","+text(1))
	after := openMaster(t, text(2))

	wrapped, err := before.wrap(dana, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := during.unwrap(dana, before.current().id, wrapped); err != nil || string(got) != "secret" {
		t.Errorf("unwrapped %q, %v", got, err)
	}
	if during.current().id != after.current().id {
		t.Error("the newest key does not come first")
	}
	derive := func(m *Master, purpose string) string {
		secret, err := m.Derive(purpose)
		if err != nil {
			t.Fatal(err)
		}
		return string(secret)
	}
	if derive(before, "x") != derive(during, "x") || derive(before, "x") == derive(after, "x") || derive(before, "x") == derive(before, "y") {
		t.Error("what is derived does not hang on the oldest key and the purpose")
	}
}

func TestMasterIsNeverPrinted(t *testing.T) {
	t.Parallel()
	m := openMaster(t, text('k'))
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+"\n", m)
		fmt.Fprintf(&out, verb+"\n", *m)
		fmt.Fprintf(&out, verb+"\n", struct{ Key *Master }{m})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("starting", "with", m, "and", *m)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("starting", "with", m, "and", *m)
	for _, secret := range []string{"kkkk", text('k')[:8], "6b6b", "6B6B", "107 107", "0x6b, 0x6b"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in\n%s", secret, out.String())
		}
	}
}
