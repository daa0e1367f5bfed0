package storetest

import (
	"slices"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func concurrencyTests() []test {
	return []test{
		{"of many first appends one wins", oneFirstAppendWins},
		{"of many appends at one revision one wins, round after round", oneAppendARevisionWins},
		{"many writers of one stream get every revision once", everyRevisionOnce},
		{"the events of one append stay together among many writers", appendsStayTogether},
		{"a reader never sees a part of an append", readersSeeWholeAppends},
		{"writers of many streams do not disturb each other", manyStreams},
	}
}

const writers = 16

// together runs one function for each of the writers at the same time.
func together(write func(writer int)) {
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { write(w) })
	}
	wg.Wait()
}

func oneFirstAppendWins(h *harness) {
	stream := h.stream()
	h.wantOneWinner(stream, esdb.NoStream{}, 0)
}

func oneAppendARevisionWins(h *harness) {
	stream, _ := h.existing(1)
	for revision := range uint64(10) {
		h.wantOneWinner(stream, esdb.Revision(revision), revision+1)
	}
}

func (h *harness) wantOneWinner(stream string, expected esdb.ExpectedRevision, revision uint64) {
	h.Helper()
	var results [writers]*esdb.WriteResult
	var failures [writers]error
	proposed := events(writers)
	together(func(w int) { results[w], failures[w] = h.tryAppend(stream, expected, proposed[w]) })
	var won *esdb.WriteResult
	var winner esdb.EventData
	for w, result := range results {
		switch {
		case failures[w] != nil:
			h.wantCode(failures[w], esdb.ErrorCodeWrongExpectedVersion)
		case won != nil:
			h.Fatalf("two writers won revision %d", revision)
		default:
			won, winner = result, proposed[w]
		}
	}
	if won == nil {
		h.Fatalf("nobody won revision %d", revision)
	}
	read := h.read(stream)
	if got := won.NextExpectedVersion; got != revision || uint64(len(read)) != revision+1 {
		h.Fatalf("the winner got revision %d of %d events, want %d", got, len(read), revision)
	}
	if got, want := read[revision].Event.EventID, winner.EventID; got != want {
		h.Fatalf("revision %d holds %s, and the winner wrote %s", revision, got, want)
	}
}

func everyRevisionOnce(h *harness) {
	const each = 20
	stream := h.stream()
	var got [writers][]uint64
	var failures [writers]error
	together(func(w int) {
		for range each {
			result, err := h.tryAppend(stream, esdb.Any{}, events(1)...)
			if err != nil {
				failures[w] = err
				return
			}
			got[w] = append(got[w], result.NextExpectedVersion)
		}
	})
	for w, err := range failures {
		if err != nil {
			h.Fatalf("writer %d: %v", w, err)
		}
		if !slices.IsSorted(got[w]) {
			h.Errorf("writer %d got revisions %v", w, got[w])
		}
	}
	all := slices.Concat(got[:]...)
	slices.Sort(all)
	for i, revision := range all {
		if revision != uint64(i) {
			h.Fatalf("revision %d at place %d of %d", revision, i, len(all))
		}
	}
	if read := h.read(stream); len(read) != writers*each {
		h.Fatalf("%d events, want %d", len(read), writers*each)
	}
}

func appendsStayTogether(h *harness) {
	const size = 5
	stream := h.stream()
	var proposed [writers][]esdb.EventData
	var failures [writers]error
	together(func(w int) {
		proposed[w] = events(size)
		_, failures[w] = h.tryAppend(stream, esdb.Any{}, proposed[w]...)
	})
	for w, err := range failures {
		if err != nil {
			h.Fatalf("writer %d: %v", w, err)
		}
	}
	ids := readIDs(h.read(stream))
	for w := range writers {
		want := proposedIDs(proposed[w])
		at := slices.Index(ids, want[0])
		if at < 0 || at+size > len(ids) || !slices.Equal(ids[at:at+size], want) {
			h.Errorf("the events of writer %d are not together", w)
		}
	}
}

func readersSeeWholeAppends(h *harness) {
	const size, appends = 7, 40
	stream, _ := h.existing(size)
	var writing sync.WaitGroup
	var failure error
	written := make(chan struct{})
	writing.Go(func() {
		defer close(written)
		for i := 1; i < appends && failure == nil; i++ {
			_, failure = h.tryAppend(stream, esdb.Any{}, events(size)...)
		}
	})
	for done := false; !done; {
		select {
		case <-written:
			done = true
		default:
		}
		if got := len(h.read(stream)); got%size != 0 {
			h.Fatalf("%d events, and they were appended by %d", got, size)
		}
	}
	writing.Wait()
	if failure != nil {
		h.Fatal(failure)
	}
	if got := len(h.read(stream)); got != size*appends {
		h.Fatalf("%d events, want %d", got, size*appends)
	}
}

func manyStreams(h *harness) {
	var names [writers]string
	var proposed [writers][]esdb.EventData
	var failures [writers]error
	together(func(w int) {
		names[w], proposed[w] = h.stream(), events(20)
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		for i := range proposed[w] {
			if _, failures[w] = h.tryAppend(names[w], expected, proposed[w][i]); failures[w] != nil {
				return
			}
			expected = esdb.Revision(uint64(i))
		}
	})
	for w := range writers {
		if failures[w] != nil {
			h.Fatalf("writer %d: %v", w, failures[w])
		}
		h.wantEvents(h.read(names[w]), proposed[w])
	}
}
