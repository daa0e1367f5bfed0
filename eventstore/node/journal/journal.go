package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/elastic/go-freelru"
	"github.com/google/uuid"
)

// Options change how a journal is opened. The zero value serves.
type Options struct {
	FS     vfs.FS           // the file system, the machine's own by default
	Logger *slog.Logger     // what storage has to say; nothing by default
	Now    func() time.Time // the clock that stamps events
	NewID  func() uuid.UUID // ids of the events that the journal makes itself

	// Permanent are categories whose streams keep all of their events: nobody can
	// delete them or set limits in their metadata, and retention leaves them alone
	// whatever their metadata said before.
	Permanent []string

	// Of tests.
	pace       *pace                // of retention, by default one that nobody notices
	elapsed    func() time.Duration // a monotonic clock
	rewriteAge *time.Duration       // of blobs with garbage, before they are written anew
	memTable   uint64               // bytes
}

// Journal is an open log of events. Its methods may be called by many
// goroutines at once.
type Journal struct {
	db        *pebble.DB
	lock      *pebble.Lock
	highWater *highWater
	permanent permanent
	now       func() time.Time
	newID     func() uuid.UUID

	// How a batch reaches the disk. A test that takes the sync away must see
	// acknowledged events lost.
	apply func(*pebble.DB, *pebble.Batch) error
	sync  func(*pebble.Batch) error

	// Owned by the writer.
	next  uint64 // position of the next event
	ids   *freelru.LRU[uuid.UUID, recentEvent]
	seed  maphash.Seed // of the hashes in ids
	heads *heads

	space      *space
	retention  *retention
	beside     sync.WaitGroup // what works beside the writer
	stopBeside context.CancelFunc

	requests chan *request
	syncing  chan *group
	closing  chan struct{} // closed first: no more requests
	stopped  chan struct{} // closed when the last answer is given

	applied atomic.Uint64 // everything up to here can be read from Pebble
	durable watermark     // everything up to here is on disk
	tail    tail
	failure failure
	failed  chan struct{} // closed with the first failure
	log     *slog.Logger

	closeLimit time.Duration

	open   sync.RWMutex // held for reading while the database is in use
	closed bool
}

// Open opens the journal in dir, making it where there is none. A torn tail is
// cut off at the last whole commit. It returns ErrLocked where another process
// has it open and a *Corruption where stored bytes are not what was written.
func Open(dir string, o Options) (*Journal, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = utcNow
	}
	if o.NewID == nil {
		o.NewID = uuid.New
	}
	if o.elapsed == nil {
		start := time.Now()
		o.elapsed = func() time.Duration { return time.Since(start) }
	}
	permanent, err := newPermanent(o.Permanent)
	if err != nil {
		return nil, err
	}
	seed := maphash.MakeSeed()
	lock, err := lockFolder(dir, o.FS)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		lock:      lock,
		permanent: permanent,
		now:       o.Now,
		newID:     o.NewID,
		apply:     applyBatch,
		sync:      syncBatch,
		ids:       newLRU[uuid.UUID, recentEvent](idsKept, func(id uuid.UUID) uint64 { return maphash.Bytes(seed, id[:]) }),
		seed:      seed,
		heads:     newHeads(seed),
		requests:  make(chan *request, maxGroupRequests),
		syncing:   make(chan *group, maxSyncing),
		closing:   make(chan struct{}),
		stopped:   make(chan struct{}),
		failed:    make(chan struct{}),
		log:       o.Logger,

		closeLimit: closeLimit,
	}
	j.retention = newRetention(j, o.pace, o.elapsed)
	j.space = newSpace(dir, o)
	if err := j.space.toOpen(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if j.db, err = openPebble(dir, o, lock, j.space, j.background); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := j.findEnd(dir, o.FS); err != nil {
		return nil, errors.Join(err, j.db.Close(), lock.Close())
	}
	go j.write()
	go j.acknowledge()
	beside, stop := context.WithCancel(context.Background())
	j.stopBeside = stop
	j.beside.Go(func() { j.retention.run(beside) })
	j.beside.Go(func() { j.space.watch(beside) })
	return j, nil
}

// findEnd finds the end of the log, compares it with what had been
// acknowledged, and remembers the last events' ids for repeats that arrive
// after a restart.
func (j *Journal) findEnd(dir string, fs vfs.FS) error {
	const remembered = 4096
	count, first := 0, true
	err := j.scan(scanRange{from: ^uint64(0), upTo: ^uint64(0), backwards: true}, func(r Record) (bool, error) {
		if first {
			j.next, first = r.Position+1, false
		}
		j.ids.Add(r.ID, recentEvent{
			stream: maphash.Bytes(j.seed, r.Stream), written: written{revision: r.Revision, position: r.Position},
		})
		count++
		return count < remembered, nil
	})
	var damaged *Corruption
	switch {
	case errors.As(err, &damaged) && !first:
		j.log.Error("corrupt data; reading it will fail", "where", damaged.Where, "error", damaged.Err)
	case err != nil:
		return err
	case first:
		j.next = 1
	}
	j.highWater, err = openHighWater(fs, dir)
	if err != nil {
		return err
	}
	last := j.next - 1
	if mark := j.highWater.position; mark > last {
		return errors.Join(&Corruption{
			Where: positionName(last + 1),
			Err:   fmt.Errorf("events up to position %d had been acknowledged and are missing", mark),
		}, j.highWater.Close())
	}
	j.applied.Store(last)
	j.durable.advance(last)
	return nil
}

// Close answers what has been accepted, writes memory out and closes the files.
func (j *Journal) Close() error {
	j.open.Lock()
	if j.closed {
		j.open.Unlock()
		return nil
	}
	j.closed = true
	j.open.Unlock() // readers finish; new ones are refused

	j.stopBeside()
	close(j.closing)
	select {
	case <-j.stopped:
	case <-time.After(j.closeLimit):
		return errors.New("close the journal: the disk does not take what was written")
	}
	j.beside.Wait()
	j.open.Lock() // the last reader has gone
	defer j.open.Unlock()
	j.flush()
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(j.db.Close(), j.highWater.Close(), j.lock.Close()) }()
	late := time.NewTicker(j.closeLimit)
	defer late.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-late.C:
			if full := j.space.full.Load(); full != nil { // it waits for room, which the process need not
				return fmt.Errorf("close the journal: %w", full)
			}
		}
	}
}

// closeLimit is how long a close waits for a disk that does not answer.
const closeLimit = 5 * time.Second

// flush writes memory out, which leaves nothing in the write-ahead log, whose
// end no checksum guards. It is no loss where the disk does not let it.
func (j *Journal) flush() {
	if j.failure.load() != nil || j.space.full.Load() != nil {
		return
	}
	flushed, err := j.db.AsyncFlush()
	if err != nil {
		j.log.Warn("memory was not written out", "error", err)
		return
	}
	select {
	case <-flushed:
	case <-time.After(j.closeLimit):
		j.log.Warn("memory was not written out", "waited", j.closeLimit)
	}
}

// Failed is closed when the journal has stopped taking events; Err tells why.
func (j *Journal) Failed() <-chan struct{} { return j.failed }

// Err is what made the journal stop, nil while it has not.
func (j *Journal) Err() error { return j.failure.load() }

// reading keeps the database open until the returned function is called.
func (j *Journal) reading() (release func(), err error) {
	j.open.RLock()
	if j.closed {
		j.open.RUnlock()
		return nil, ErrClosed
	}
	return j.open.RUnlock, nil
}

// Head is the position of the last durable event, 0 where there is none.
func (j *Journal) Head() uint64 { return j.durable.load() }

// Wait returns when an event after the position is durable, with an error when
// ctx ends or the journal closes first.
func (j *Journal) Wait(ctx context.Context, after uint64) error {
	return j.durable.wait(ctx, j.closing, after)
}

// get reads one record. The caller closes what comes with it, and copies what
// it wants to keep.
func (j *Journal) get(position uint64) (Record, io.Closer, error) {
	value, closer, err := j.db.Get(eventKey(position))
	if errors.Is(err, pebble.ErrNotFound) {
		return Record{}, nil, &Corruption{Where: positionName(position), Err: errMissing}
	}
	if err != nil {
		return Record{}, nil, corruptAt(positionName(position), err)
	}
	record, err := decodeRecord(position, value)
	if err != nil {
		return Record{}, nil, errors.Join(&Corruption{Where: positionName(position), Err: err}, closer.Close())
	}
	return record, closer, nil
}

// getIndexed reads the event that a stream's index has named. It returns
// errForgotten where both have been deleted since.
func (j *Journal) getIndexed(id, revision, position uint64) (Record, io.Closer, error) {
	record, closer, err := j.get(position)
	if !errors.Is(err, errMissing) {
		return record, closer, err
	}
	if still, indexErr := j.positionOf(id, revision); indexErr != nil || still != 0 {
		return Record{}, nil, errors.Join(err, indexErr)
	}
	return Record{}, nil, errForgotten
}

func decodePosition(where string, value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, &Corruption{Where: where, Err: errors.New("the index entry has the wrong length")}
	}
	return binary.BigEndian.Uint64(value), nil
}
