package eventstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"time"
)

// Config says how to reach the log.
type Config struct {
	// ConnectionString is EventStoreDB's own: esdb://user:password@host:port,
	// several hosts joined by commas, or esdb+discover://, with settings such
	// as ?tls=false. maxDiscoverAttempts and discoveryInterval have no
	// effect: contexts, Timeout and Backoff govern instead.
	ConnectionString string
	// RootCAs are the authorities to trust, for a private one that is not in a
	// file; it takes precedence over the setting tlsCaFile.
	RootCAs *x509.CertPool
	// Dial connects appends to the log where there is a shorter way than the network:
	// from the process of an embedded node, its Dial. It is for a connection string of
	// one host. nil takes the network.
	Dial func(context.Context) (net.Conn, error)
	// Logger hears of lost and regained connections. nil keeps silent.
	Logger *slog.Logger
	// Timeout is how long the log may stay silent: one try of a call is given
	// up after it, and so is the call as a whole when its context has no
	// deadline. 10 s by default, or the connection string's defaultDeadline.
	Timeout time.Duration
	// Backoff is the wait between tries.
	Backoff Backoff
}

// Client is a connection to the log that outlives the log's absence: while a
// call's context lives, the call is tried again, and no call outlives its
// context. It is safe for use by many goroutines.
type Client struct {
	life    context.Context
	end     context.CancelFunc
	links   *links
	batches *batches
	timeout time.Duration
	backoff Backoff
	logger  *slog.Logger
	spare   *goroutines
}

// Connect prepares a client. The connection itself is made by the first call,
// so that a program starts whether or not the log is up. A connection string
// that makes no sense is an ErrInvalid that does not contain it.
func Connect(cfg Config) (*Client, error) {
	conf, err := parseConnectionString(cfg.ConnectionString)
	if err != nil {
		return nil, operation{name: "connection string"}.fail(ErrInvalid, err)
	}
	if cfg.Dial != nil && severalHosts(*conf) {
		return nil, operation{name: "dial"}.fail(ErrInvalid, errors.New("the connection string must name one host"))
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if conf.DisableTLS && conf.Username != "" {
		logger.Warn("without TLS the log's credentials are not sent")
	}
	timeout := cfg.Timeout
	if timeout <= 0 && conf.DefaultDeadline != nil {
		timeout = *conf.DefaultDeadline
	}
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	conf.DefaultDeadline = &timeout
	conf.MaxDiscoverAttempts, conf.DiscoveryInterval = 1, 1 // links tries again, at its own pace
	if cfg.RootCAs != nil {
		conf.RootCAs = cfg.RootCAs
	}

	life, end := context.WithCancel(context.Background())
	backoff := cfg.Backoff.withDefaults()
	conf.Logger = listen(life, logger)
	return &Client{
		life: life, end: end, timeout: timeout, backoff: backoff, logger: logger, spare: newGoroutines(life),
		links: &links{life: life, conf: *conf, backoff: backoff, logger: logger},
		batches: &batches{
			life: life, conf: *conf, dialer: cfg.Dial, backoff: backoff, logger: logger, seed: maphash.MakeSeed(),
		},
	}, nil
}

// Close ends the calls and subscriptions in progress with ErrClosed. It does not
// wait for them: the connection is closed when the last one is over.
func (c *Client) Close() error {
	c.end()
	c.links.close()
	return nil
}

// join returns a context that ends with the client, too.
func (c *Client) join(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// bound adds the deadline that a call without one gets.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

// gaveUp makes the error of a call whose context, or the client, came to its
// end before an answer was there. last is what the last try failed with.
func (c *Client) gaveUp(ctx context.Context, op operation, last error) error {
	switch {
	case c.life.Err() != nil:
		return op.fail(ErrClosed, nil)
	case ctx.Err() == context.Canceled:
		return op.fail(context.Canceled, nil)
	case ctx.Err() != nil:
		return op.fail(ErrUnavailable, fmt.Errorf("%w, last: %w", ctx.Err(), reasonOf(last)))
	default:
		return op.fail(ErrUnavailable, fmt.Errorf("gave up after %s, last: %w", c.timeout, reasonOf(last)))
	}
}
