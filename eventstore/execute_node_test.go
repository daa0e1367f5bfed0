package eventstore_test

import (
	"sync"
	"testing"
	"time"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// Two instances of the portal on one real log, each command sent by both.
func TestExecuteOnANode(t *testing.T) {
	t.Parallel()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	const commands = 40
	answers := [2][commands]tillResult{}
	var ids [commands]eventstore.Metadata
	for i := range ids {
		ids[i] = envelope()
	}
	var wait sync.WaitGroup
	for instance := range answers {
		client := connect(t, n.ConnectionString())
		c := newTills(t, client)
		for i, m := range ids {
			m.RecordedAt = m.RecordedAt.Add(time.Duration(instance)) // as two clocks differ
			wait.Go(func() {
				var err error
				if answers[instance][i], err = c.Execute(t.Context(), till, m, Take{Cents: 1}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for i := range ids {
		same(t, answers[0][i], answers[1][i])
	}
	if got := execute(t, newTills(t, connect(t, n.ConnectionString())), envelope(), Balance{Cents: commands}); got.State.Cents != commands {
		t.Errorf("%d in the till after %d commands", got.State.Cents, commands)
	}
}
