package journal

import (
	"context"
	"fmt"
	"sync"
)

// watermark is a position that only rises and can be waited for.
type watermark struct {
	mu       sync.Mutex
	position uint64
	risen    chan struct{} // closed and replaced when the position rises; nil where nobody waits
}

func (w *watermark) load() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.position
}

func (w *watermark) advance(position uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.position = max(w.position, position)
	if w.risen != nil {
		close(w.risen)
		w.risen = nil
	}
}

func (w *watermark) wait(ctx context.Context, closing <-chan struct{}, after uint64) error {
	for {
		w.mu.Lock()
		if w.position > after {
			w.mu.Unlock()
			return nil
		}
		if w.risen == nil {
			w.risen = make(chan struct{})
		}
		risen := w.risen
		w.mu.Unlock()
		select {
		case <-risen:
		case <-ctx.Done():
			return ctx.Err()
		case <-closing:
			return ErrClosed
		}
	}
}

// failure is the first error that made the journal stop.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// store keeps the error and tells whether it is the first.
func (f *failure) store(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false
	}
	f.err = fmt.Errorf("%w: %w", ErrFailed, err)
	return true
}
