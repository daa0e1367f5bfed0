package journal

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sizes are chosen so that a node with ten million events stays below 300 MB.
// Pebble takes the memory tables out of the cache, of which two are common: what
// is left for blocks has to hold the filters, a byte and a half an event, and the
// streams' names.
const (
	memTableBytes   uint64 = 16 << 20
	blockCacheBytes        = 48<<20 + 2*int64(memTableBytes)
	// gathered is twice the number of layers of flushed memory tables that are gathered
	// before they are merged into the tree. Streams lie all over it, so that a merge
	// rewrites most keys however few are new (docs/decisions/0008). A layer costs
	// look-ups little, since its filter is in memory.
	gathered = 16
)

func openPebble(dir string, o Options, lock *pebble.Lock, s *space, background func(error)) (*pebble.DB, error) {
	cache := pebble.NewCache(blockCacheBytes)
	defer cache.Unref()
	options := &pebble.Options{
		FS:    zeroingFS{newPatientFS(o.FS, s, dir)},
		Lock:  lock,
		Cache: cache,
		// Since FormatWALSyncChunks the write-ahead log tells a torn tail from a
		// flipped byte.
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                cmp.Or(o.memTable, memTableBytes),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       gathered,
		L0StopWritesThreshold:       64,
		LBaseMaxBytes:               256 << 20,
		Logger:                      pebbleLogger{o.Logger},
		EventListener: &pebble.EventListener{
			// The default ends the process. The reader who met the damage is
			// told instead, and the rest of the log is still served.
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				o.Logger.Error("corrupt data", "file", i.Path, "error", i.Details)
			},
			BackgroundError: background,
		},
	}
	options.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy { return separateRecords(o) }
	options.CompactionConcurrencyRange = func() (int, int) { return 1, 1 }
	for i := range options.Levels {
		// Most appends to new streams ask for a name that is not there.
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return openWith(dir, options)
}

func openWith(dir string, options *pebble.Options) (*pebble.DB, error) {
	db, err := pebble.Open(dir, options)
	switch {
	case err == nil:
		return db, nil
	case pebble.IsCorruptionError(err):
		return nil, &Corruption{Where: dir, Err: err}
	default:
		return nil, fmt.Errorf("open the journal in %s: %w", dir, err)
	}
}

// separateRecords keeps records beside the tables of keys: an event is then
// written once after the write-ahead log, and compactions move only keys, a
// twentieth of the bytes, which appends to a grown log feel.
func separateRecords(o Options) pebble.ValueSeparationPolicy {
	rewriteAge := 5 * time.Minute
	if o.rewriteAge != nil {
		rewriteAge = *o.rewriteAge
	}
	return pebble.ValueSeparationPolicy{
		Enabled:               true,
		MinimumSize:           64,
		MaxBlobReferenceDepth: 10,
		RewriteMinimumAge:     rewriteAge,
		TargetGarbageRatio:    0.3, // of all that is stored
	}
}

// lockFolder makes the folder where it is missing and takes its lock, which
// ends with the process.
func lockFolder(dir string, fs vfs.FS) (*pebble.Lock, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	var opening *os.PathError
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &opening): // not even the lock's file can be had
		return nil, fmt.Errorf("lock the data folder: %w", err)
	default:
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
}

// pebbleLogger passes on what storage says. Its chatter about compactions is
// debug output.
type pebbleLogger struct{ log *slog.Logger }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.log.Debug("storage", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("storage", "message", fmt.Sprintf(format, args...))
}

// Fatalf must not return: the storage has met what it cannot go on from, such
// as a write-ahead log that cannot be written. To stop is the only way to keep
// what was acknowledged.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	l.log.Error("storage cannot go on", "message", message)
	panic("journal: " + message)
}
