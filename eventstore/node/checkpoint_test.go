package node

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A node that hangs does not keep a backup waiting for ever.
func TestASilentNodeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is there at once
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	_, _, err = checkpoint(t.Context(), Access{Address: silent.Addr().String(), Insecure: true}, t.TempDir(), 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "not answered") {
		t.Errorf("it says %v", err)
	}
}
