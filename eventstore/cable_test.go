package eventstore_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cable carries TCP connections from an address that stays to a server that may
// come and go.
type cable struct {
	listener net.Listener

	mu      sync.Mutex
	target  string                // empty while cut
	ends    map[net.Conn]struct{} // of the connections under way
	carried int                   // connections so far
}

func layCable(t *testing.T) *cable {
	t.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: listener, ends: map[net.Conn]struct{}{}}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // closed
			}
			group.Go(func() { c.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		c.cut()
		group.Wait()
	})
	return c
}

func (c *cable) addr() string { return c.listener.Addr().String() }

// plug connects the cable to a server.
func (c *cable) plug(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}

// connections is how many there have been.
func (c *cable) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.carried
}

// cut breaks all connections and every new one, without a farewell.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = ""
	for end := range c.ends {
		_ = end.Close()
	}
}

func (c *cable) carry(near net.Conn) {
	far := c.connect(near)
	if far == nil {
		_ = near.Close()
		return
	}
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
	_ = near.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, near)
	delete(c.ends, far)
}

// connect returns the server's end of the cable, nil while there is none.
func (c *cable) connect(near net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.target == "" {
		return nil
	}
	far, err := net.Dial("tcp", c.target) //nolint:noctx // loopback answers at once
	if err != nil {
		return nil
	}
	c.ends[near], c.ends[far] = struct{}{}, struct{}{}
	c.carried++
	return far
}
