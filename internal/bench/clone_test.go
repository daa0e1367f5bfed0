package main

import "testing"

func TestAClonesReferencesHoldAndAreItsOwn(t *testing.T) {
	t.Parallel()
	const (
		invoice  = "0a1b2c3d-1111-4222-8333-444455556666"
		customer = "ffffffff-1111-4222-8333-444455556666"
	)
	stream := newTemplate("invoice-" + invoice)
	data := newTemplate(`{"invoiceId":"` + invoice + `","customerId":"` + customer + `","number":"2026-0001","total":1200}`)
	if got := string(data.clone(0)); got != data.text {
		t.Errorf("the zeroth clone is %s", got)
	}
	seen := map[string]bool{}
	for n := range 1000 {
		name := string(stream.clone(n))
		id, text := name[len("invoice-"):], string(data.clone(n))
		if seen[id] {
			t.Fatalf("clone %d has the id %s of another", n, id)
		}
		seen[id] = true
		other := string(newTemplate(customer).clone(n))
		if want := `{"invoiceId":"` + id + `","customerId":"` + other + `","number":"2026-0001","total":1200}`; text != want {
			t.Fatalf("clone %d is %s, want %s", n, text, want)
		}
	}
}
