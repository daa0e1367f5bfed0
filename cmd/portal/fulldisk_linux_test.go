package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// On a full disk a command is answered 503, lists go on, and commands are taken
// again once there is room, by the same process.
func TestAFullDiskIsToldAndSurvived(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := syscall.Mount("portal-test", data, "tmpfs", 0, "mode=0700,size=400m"); err != nil {
		// The journal's space_test.go has a file system that only says it is full.
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	p := serveWith(t, config{listen: "127.0.0.1:0", data: data, database: migratedDatabase(t)})
	ann := p.post("/customers", p.office, `{"name":"Ann"}`).must(201)

	others := filepath.Join(data, "others")
	f, err := os.Create(others)
	if err != nil {
		t.Fatal(err)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(data, &disk); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(disk.Bavail)*disk.Bsize-8<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	bound := time.Now().Add(time.Minute)
	var refused answer
	for refused.status != http.StatusServiceUnavailable {
		if refused = p.post("/customers", p.office, `{"name":"Ben"}`); time.Now().After(bound) {
			t.Fatal("commands are taken on a full disk")
		}
	}
	began := time.Now()
	refused = p.post("/customers", p.office, `{"name":"Ben"}`).refused(503, "log_full")
	if took := time.Since(began); took > time.Second { // five are for a log that is out of reach
		t.Errorf("answered after %v", took)
	}
	if refused.header.Get("Retry-After") != "30" || strings.Contains(refused.text, data) {
		t.Errorf("headers %v, %s", refused.header, refused.text)
	}
	p.get("/timeline", p.office, ann).must(200)
	ready := p.send(http.MethodGet, "/readyz", "", "").must(200)
	if log, _ := ready.body["log"].(string); !strings.HasPrefix(log, "full") {
		t.Errorf("readyz says %s", ready.text)
	}
	if metrics := p.send(http.MethodGet, "/metrics", "", "").text; !strings.Contains(metrics, "\nportal_log_full 1\n") ||
		!strings.Contains(metrics, "\nportal_log_disk_free_bytes ") {
		t.Error("the metrics do not tell")
	}

	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	for status := 0; status != http.StatusCreated; {
		if status = p.post("/customers", p.office, `{"name":"Cid"}`).status; time.Now().After(bound) {
			t.Fatal("commands are not taken again")
		}
	}
	if ready := p.send(http.MethodGet, "/readyz", "", "").must(200); ready.body["log"] != "ok" {
		t.Errorf("readyz says %s", ready.text)
	}
}
