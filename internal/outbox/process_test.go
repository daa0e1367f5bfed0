package outbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/internal/database"
)

// asProgram makes the test binary a program that runs the example until it is
// told to stop.
const asProgram = "PORTAL_TEST_OUTBOX"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	if err := program(os.Getenv("DATABASE"), os.Getenv("LOG"), os.Getenv("RECEIVER")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func program(db, log, receiver string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := database.Open(ctx, db)
	if err != nil {
		return err
	}
	defer pool.Close()
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: log})
	if err != nil {
		return err
	}
	defer client.Close()
	hook, err := invoiceHook(pool, client, receiver)
	if err != nil {
		return err
	}
	hook.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	return hook.Run(ctx)
}

// instance is the program as a process.
type instance struct {
	t       *testing.T
	command *exec.Cmd
	ended   chan struct{}
	status  error
}

func start(t *testing.T, name string, s *site, receiver string) *instance {
	t.Helper()
	c := exec.Command(os.Args[0]) //nolint:noctx,gosec // the test binary itself; the end of the test ends it
	c.Env = append(os.Environ(), asProgram+"=1", "DATABASE="+s.url, "LOG="+s.node.ConnectionString(),
		"RECEIVER="+receiver+"/"+name)
	said := &lockedBuffer{}
	c.Stderr = said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	i := &instance{t: t, command: c, ended: make(chan struct{})}
	go func() {
		i.status = c.Wait()
		close(i.ended)
	}()
	t.Cleanup(func() {
		i.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said.text())
		}
	})
	return i
}

func (i *instance) signal(s syscall.Signal) {
	i.t.Helper()
	if err := i.command.Process.Signal(s); err != nil {
		i.t.Fatal(err)
	}
}

// kill is kill -9, also of a process that has ended.
func (i *instance) kill() {
	_ = i.command.Process.Kill()
	<-i.ended
}

type lockedBuffer struct {
	mu  sync.Mutex
	all []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, p...)
	return len(p), nil
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.all)
}

// receiver takes down what it is told, and by whom. Now and then it refuses.
type receiver struct {
	mu    sync.Mutex
	told  []uuid.UUID
	by    string // who told last
	asked int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var body struct{ ID uuid.UUID }
	text, err := io.ReadAll(request.Body)
	if err != nil || json.Unmarshal(text, &body) != nil {
		return // its sender was killed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked++; r.asked%50 == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.told, r.by = append(r.told, body.ID), request.URL.Path[1:]
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

func (r *receiver) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by
}

// Instances are killed, hang and go on, while events come in all the time: what
// the receiver is told is the log, with nothing but the last event repeated.
func TestOrderSurvivesKillsAndChangesOfLeader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	received := &receiver{}
	server := httptest.NewServer(received)
	t.Cleanup(server.Close)
	instances := map[string]*instance{}
	begin := func(name string) { instances[name] = start(t, name, s, server.URL) }

	s.append("invoice-0", "InvoiceSent") // before there is an outbox: nobody is told of it
	begin("one")
	s.until("the outbox begins", func() bool { return s.bookmarked() })
	begin("two")
	stop := s.write(200)

	progress := func(n int) {
		t.Helper()
		goal := received.count() + n
		s.until("deliveries go on", func() bool { return received.count() >= goal })
	}
	for round := range 4 {
		progress(10)
		leader := received.last()
		if round == 2 { // it hangs, and finds out later that another one leads
			instances[leader].signal(syscall.SIGSTOP)
			s.until("another one leads", func() bool { return received.last() != leader })
			instances[leader].signal(syscall.SIGCONT)
			continue
		}
		instances[leader].kill()
		begin(fmt.Sprintf("%s-%d", leader, round))
	}
	want := stop()
	s.until("all is delivered", func() bool { return len(received.distinct()) >= len(want) })
	for _, i := range instances {
		if i.command.ProcessState == nil {
			i.signal(syscall.SIGTERM)
			<-i.ended
			if i.status != nil {
				t.Errorf("told to stop: %v", i.status)
			}
		}
	}

	got := received.distinct()
	for n := range want {
		if got[n] != want[n] {
			t.Fatalf("event %d of %d came out of turn", n, len(want))
		}
	}
	if repeats := len(received.told) - len(want); len(got) != len(want) || repeats > 4 {
		t.Errorf("told of %d events, %d of them again, want %d", len(got), repeats, len(want))
	}
}

// distinct is what was told, without what was told before. An instance that was
// stopped in the middle of a delivery ends it when it goes on, and by then another
// one may have told of more.
func (r *receiver) distinct() (ids []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := map[uuid.UUID]bool{}
	for _, id := range r.told {
		if !before[id] {
			before[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// write appends events to several streams, among them such as nobody is to be
// told of, until stop is called and for at least so many. stop returns the ids of
// those to be told of, in the order of the log.
func (s *site) write(atLeast int) (stop func() []uuid.UUID) {
	ctx, cancel := context.WithCancel(s.t.Context())
	written := make(chan []uuid.UUID, 1)
	go func() {
		var ids []uuid.UUID
		pace := time.NewTicker(15 * time.Millisecond)
		defer pace.Stop()
		for n := 0; n < atLeast || ctx.Err() == nil; n++ {
			stream := fmt.Sprintf("invoice-%d", n%7)
			switch n % 5 {
			case 0:
				s.append(stream, "InvoiceViewed")
			case 1:
				s.appendOf(stream, "InvoiceSent", eventstore.OriginImport)
			default:
				ids = append(ids, s.append(stream, "InvoiceSent"))
			}
			<-pace.C
		}
		written <- ids
	}()
	return func() []uuid.UUID {
		cancel()
		return <-written
	}
}
