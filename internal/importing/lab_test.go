package importing_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portal.example/commands"
	"portal.example/commands/businesses"
	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/eventstore/node"
	"portal.example/internal/importing"
)

// lab is a business on a log of its own.
type lab struct {
	dir      string
	codec    *eventstore.Codec
	business string
}

// now is the portal's clock: the files are history to it.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func newLab(t *testing.T) *lab {
	t.Helper()
	codec, err := eventstore.NewCodec(codectest.NewKeyring(), commands.EventTypes()...)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{dir: t.TempDir(), codec: codec}
	l.open(t, func(client *eventstore.Client) {
		store, err := commands.NewStore(client, codec)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocation("Europe/Rome")
		if err != nil {
			t.Fatal(err)
		}
		l.business, err = businesses.Register(t.Context(), &commands.Room{Store: store, Now: now}, businesses.Registration{
			Slug: "histories", Name: "Histories", Currency: "EUR", TimeZone: zone, Language: "en",
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return l
}

// open works with the lab's log as a program that has just been started would.
func (l *lab) open(t *testing.T, work func(*eventstore.Client)) {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Dir: l.dir, Listen: "127.0.0.1:0", Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(client.Close(), n.Close()); err != nil {
			t.Error(err)
		}
	}()
	work(client)
}

// run imports a file as a program of its own.
func (l *lab) run(t *testing.T, f importing.File) (sum importing.Summary, refusals []importing.Refusal, err error) {
	t.Helper()
	l.open(t, func(client *eventstore.Client) {
		importer := &importing.Importer{
			Log: client, Codec: l.codec, Secret: []byte("secret"), Now: now, Business: l.business,
		}
		sum, refusals, err = importer.Run(t.Context(), f)
	})
	return sum, refusals, err
}

// history is what the business's events say, by stream, without the business's
// own.
func (l *lab) history(t *testing.T) map[string][]eventstore.Decoded {
	t.Helper()
	var batch []eventstore.Recorded
	l.open(t, func(client *eventstore.Client) {
		for e, err := range client.ReadAll(t.Context(), eventstore.Start()) {
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, e)
		}
	})
	decoded, err := l.codec.DecodeBatch(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string][]eventstore.Decoded{}
	for _, d := range decoded {
		if d.Err != nil {
			t.Fatal(d.Err)
		}
		if d.Metadata.Origin == eventstore.OriginImport {
			streams[d.Record.Stream] = append(streams[d.Record.Stream], d)
		}
	}
	return streams
}

// realFile reads one of the real histories.
func realFile(t *testing.T, path string, format importing.Format) importing.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := importing.Read(file, format)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// realPath is where one of the real histories is. They are not part of the
// project.
func realPath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the real history %s is not part of the project and not at %s", name, path)
	}
	return path
}
