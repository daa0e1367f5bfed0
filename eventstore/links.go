package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// links keeps one esdb client for everybody to share, and replaces it when its
// connection is lost.
//
// An esdb client alone does not do. Whoever calls it while it looks for the
// server blocks, whatever the context says; after maxDiscoverAttempts it is
// dead, and who was waiting then waits for ever; reconnecting leaks the old
// connection; closing it during a call panics. Hence:
//
//   - One goroutine looks for the server, with clients that are allowed a single
//     attempt, and callers wait for it here, where contexts count.
//   - The client that succeeds is shared. It is dropped at the first sign of a
//     lost connection, and closed when the last call that uses it is over.
//   - It does not look for the server again (see listen), but for one case, a
//     change of leader. Calls that get stuck in it then are left behind (see
//     attempt), for good if that fails altogether.
type links struct {
	life    context.Context // ends with the eventstore.Client
	conf    esdb.Configuration
	backoff Backoff
	logger  *slog.Logger

	mu      sync.Mutex
	current *link // nil until somebody asks
}

type link struct {
	ready chan struct{} // closed when db can be used
	db    *esdb.Client  // written before ready is closed

	// Under links.mu.
	users   int   // calls, the dialling goroutine, and links while it is current
	trouble error // why the link is not ready yet
}

// errNotConnected is all that acquire fails with.
var errNotConnected = errors.New("not connected")

// acquire returns a link that is connected, as far as anybody knows. The caller
// releases it after its last use of the client, however late that is. It waits
// as long as ctx, which must end with links.life, allows.
func (l *links) acquire(ctx context.Context) (*link, error) {
	l.mu.Lock()
	if l.life.Err() != nil { // looked at under the lock, or close could miss the new link
		l.mu.Unlock()
		return nil, errNotConnected
	}
	if l.current == nil {
		l.current = &link{ready: make(chan struct{}), users: 2}
		go l.dial(l.current)
	}
	n := l.current
	n.users++
	l.mu.Unlock()

	select {
	case <-n.ready:
		return n, nil
	case <-ctx.Done():
		defer l.release(n)
		return nil, l.troubleOf(n)
	}
}

// dial looks for the server until it is found or nobody cares any more.
func (l *links) dial(n *link) {
	defer l.release(n)
	start := time.Now()
	for try := 0; ; try++ {
		db, err := l.connect()
		if err == nil {
			l.mu.Lock()
			n.db = db
			l.mu.Unlock()
			close(n.ready)
			l.logger.Info("connected to the log", "tries", try+1, "after", time.Since(start))
			return
		}
		l.mu.Lock()
		n.trouble = reasonOf(err)
		l.mu.Unlock()
		level := slog.LevelDebug
		if try == 0 {
			level = slog.LevelWarn // once an outage, not once a try
		}
		l.logger.Log(l.life, level, "cannot reach the log", "error", reasonOf(err), "try", try+1)
		if !l.backoff.pause(l.life, try) {
			return
		}
	}
}

// connect makes one attempt.
func (l *links) connect() (*esdb.Client, error) {
	db, err := esdb.NewClient(&l.conf)
	if err != nil {
		return nil, err
	}
	if _, err := db.GetServerVersion(); err != nil { // what makes it connect
		_ = db.Close() // never fails
		return nil, err
	}
	return db, nil
}

// drop makes the next caller dial anew. Calls that still use the link go on.
func (l *links) drop(n *link) {
	l.mu.Lock()
	dropped := l.current == n
	if dropped {
		l.current = nil
	}
	l.mu.Unlock()
	if dropped {
		l.logger.Debug("dropped the connection to the log")
		l.release(n)
	}
}

// close gives up the current link for good. links.life is over by then.
func (l *links) close() {
	l.mu.Lock()
	n := l.current
	l.mu.Unlock()
	if n != nil {
		l.drop(n)
	}
}

func (l *links) release(n *link) {
	l.mu.Lock()
	n.users--
	last := n.users == 0
	l.mu.Unlock()
	if last && n.db != nil {
		_ = n.db.Close() // never fails
	}
}

func (l *links) troubleOf(n *link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.trouble == nil {
		return errNotConnected
	}
	return fmt.Errorf("%w: %w", errNotConnected, n.trouble)
}
