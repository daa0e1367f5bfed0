package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"portal.example/eventstore/node"
)

// A backup on the file system of its log says so; one on another is a copy of its
// own, and can be restored.
func TestABackupTellsWhetherItSharesTheDisk(t *testing.T) {
	data, elsewhere := t.TempDir(), t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PORTAL_DATA", data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	backup := func(folder string) bool {
		t.Helper()
		var answer struct{ SameFileSystem *bool }
		out, _ := told(t, exitOK, "backup", folder, "--json")
		if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.SameFileSystem == nil {
			t.Fatalf("told %s: %v", out, err)
		}
		return *answer.SameFileSystem
	}
	beside := t.TempDir()
	if !backup(filepath.Join(beside, "one")) {
		t.Error("a folder beside the log's is taken for another file system")
	}
	if _, errs := told(t, exitOK, "backup", filepath.Join(beside, "two")); !strings.Contains(errs, "warning") || !strings.Contains(errs, "file system of the log") {
		t.Errorf("said %q", errs)
	}
	if _, errs := told(t, exitMisused, "backup", filepath.Join(beside, "missing", "three")); !strings.Contains(errs, "DIR") || !strings.Contains(errs, "is not there") {
		t.Errorf("said %q", errs)
	}

	if err := syscall.Mount("portal-test", elsewhere, "tmpfs", 0, "mode=0700,size=64m"); err != nil {
		t.Skipf("another file system cannot be mounted here, so that a backup to one is not tested: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(elsewhere, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	folder := filepath.Join(elsewhere, "one")
	if backup(folder) {
		t.Error("another file system is taken for the log's")
	}
	if _, errs := told(t, exitOK, "backup", filepath.Join(elsewhere, "two")); errs != "" {
		t.Errorf("said %q", errs)
	}
	t.Setenv("PORTAL_DATA", filepath.Join(t.TempDir(), "restored"))
	told(t, exitOK, "restore", folder)
}
