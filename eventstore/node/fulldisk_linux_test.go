package node_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node"
)

// smallDisk is a file system of its own in memory, of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("portal-test", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		// What a full disk does to the storage is also tested on a file system
		// that only says so, everywhere: journal's space_test.go.
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes what room the disk has, but for so many bytes.
func fill(t *testing.T, dir string, leave uint64) (release func()) {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "others")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if free := disk.Bavail * uint64(disk.Bsize); free > leave {
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(free-leave)); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// On a real disk without room appends are refused by a status that says so,
// reads go on, and appends are taken again without a restart once there is room.
func TestAFullDiskIsSurvived(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "400m")
	n := start(t, node.Config{Dir: dir})
	client := connect(t, n.ConnectionString())
	write := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		e := proposed("A")
		e.Data = make([]byte, 100<<10)
		_, err := client.AppendToStream(ctx, "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
		return err
	}
	written := 0
	for _, leave := range []uint64{16 << 20, 0} { // below the reserve; nothing at all
		for range 20 {
			if err := write(); err != nil {
				t.Fatal(err)
			}
			written++
		}
		release := fill(t, dir, leave)
		awaiting(t, "a refusal", func() bool {
			err := write()
			if err == nil {
				written++
				return false
			}
			var failure *esdb.Error
			if !errors.As(err, &failure) || status.Code(failure.Err()) != codes.ResourceExhausted {
				t.Logf("an append under way: %v", err)
				return false
			}
			if !strings.Contains(err.Error(), "is full") || !strings.Contains(err.Error(), "free") {
				t.Errorf("said %v", err)
			}
			return true
		})
		if got := len(typesOf(t, client, "s-1")); got == 0 {
			t.Error("nothing is read while the disk is full")
		}
		release()
		awaiting(t, "room", func() bool { return write() == nil })
		written++
	}
	if n.Err() != nil {
		t.Errorf("the node stopped: %v", n.Err())
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	n = start(t, node.Config{Dir: dir})
	client = connect(t, n.ConnectionString())
	read, err := client.ReadStream(t.Context(), "s-1", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	last, err := read.Recv()
	if err != nil || int(last.Event.EventNumber)+1 < written {
		t.Errorf("the last event is %+v, %v; %d were acknowledged", last, err, written)
	}
}

func awaiting(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("waiting for %s", what)
		}
	}
}
