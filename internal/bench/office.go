package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// office is one writer who works on requests of its own over HTTP: a step
// towards an answer is one event of a few hundred bytes, on a stream that the
// portal has folded before.
type office struct {
	*connection
	requests []string // ids
	taken    int      // steps
}

const (
	requestsEach = 16 // of a writer, so that a stream grows by tens of events, not by thousands
	triageBody   = `{"step":"Look at the place and order what is missing","handler":{"staffId":"sam","team":"Heating and plumbing"}}`
)

// withOffices runs use on a fresh portal with so many writers at work.
func (l *Lab) withOffices(ctx context.Context, writers int, use func(*portal, []*office) (Sample, error)) (Sample, error) {
	return l.withPortal(ctx, func(p *portal) (Sample, error) {
		return p.staff(ctx, writers, func(offices []*office) (Sample, error) { return use(p, offices) })
	})
}

// staff runs use with so many writers at work in the portal.
func (p *portal) staff(ctx context.Context, writers int, use func([]*office) (Sample, error)) (sample Sample, err error) {
	offices := make([]*office, writers)
	for i := range offices {
		c, err := dial(ctx, p.address, p.token)
		if err != nil {
			return nil, err
		}
		offices[i] = &office{connection: c}
		defer offices[i].hangUp(&err)
		if err := offices[i].file(i); err != nil {
			return nil, err
		}
	}
	return use(offices)
}

func (o *office) hangUp(err *error) { *err = errors.Join(*err, o.conn.Close()) }

// file makes the requests that the writer then works on.
func (o *office) file(i int) error {
	customer, err := o.create("/customers", fmt.Sprintf(`{"name":"Customer %d"}`, i))
	if err != nil {
		return err
	}
	for range requestsEach {
		id, err := o.create("/requests", `{"customerId":"`+customer+`","kind":"work-order","channel":"Desk","subject":"The boiler leaks"}`)
		if err != nil {
			return err
		}
		o.requests = append(o.requests, id)
	}
	return nil
}

func (o *office) create(path, body string) (id string, err error) {
	answer, err := o.do(http.StatusCreated, http.MethodPost, "/api/v1"+path, body)
	if err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"id"`
	}
	return made.ID, json.Unmarshal(answer.body, &made)
}

// triage takes a step on the next request.
func (o *office) triage() (id string, position string, err error) {
	id = o.requests[o.taken%len(o.requests)]
	o.taken++
	answer, err := o.do(http.StatusOK, http.MethodPost, "/api/v1/requests/"+id+"/triage", triageBody)
	return id, answer.header.Get("Portal-Position"), err
}

// look reads a request that contains everything up to the position.
func (o *office) look(id, position string) error {
	_, err := o.do(http.StatusOK, http.MethodGet, "/api/v1/requests/"+id, "", "Portal-Position", position)
	return err
}

// commanding is the side of 32 clients who wait for each command to be durable.
// The projections follow meanwhile, as they always do.
func commanding(lab *Lab, writers int) *Side {
	return &Side{Name: "portal serve", Measure: func(ctx context.Context) (Sample, error) {
		return lab.withOffices(ctx, writers, func(_ *portal, offices []*office) (Sample, error) {
			return lab.load(writers).run(ctx, func(i int) func(context.Context) error {
				return func(context.Context) error {
					_, _, err := offices[i].triage()
					return err
				}
			})
		})
	}}
}

func commandRows(lab *Lab) []Row {
	const name, group, writers = "command over HTTP, 32 clients", "commands", 32
	subject := commanding(lab, writers)
	return []Row{
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: emmett(lab, writers), Budget: atLeast(2), Aim: atLeast(3.3),
		},
		{
			Name: name + ", p99", Group: group, Figure: P99, Subject: subject,
			Budget: atMost(25), Aim: atMost(15), Unit: "ms",
		},
	}
}

const (
	pacePerSecond = 500
	paceWriters   = 32
	lookEvery     = 5 // commands: the readers should not outnumber the writers
)

func (l *Lab) pace() Pace {
	return Pace{PerSecond: pacePerSecond, Warmup: l.Warmup, Window: l.Window}
}

// visible measures from a command's answer to the answer of a read that contains
// what it did.
func visible(lab *Lab) *Side {
	return &Side{Name: "portal serve", Measure: func(ctx context.Context) (Sample, error) {
		return lab.withOffices(ctx, paceWriters, func(_ *portal, offices []*office) (Sample, error) {
			operations := make([]operation, len(offices))
			for i, o := range offices {
				operations[i] = o.triageAndLook
			}
			sample, err := lab.pace().run(ctx, operations)
			delete(sample, Rate) // it was given
			return sample, err
		})
	}}
}

func (o *office) triageAndLook(_ context.Context, _ time.Time) (latency time.Duration, counted bool, err error) {
	id, position, err := o.triage()
	if err != nil || o.taken%lookEvery != 0 {
		return 0, false, err
	}
	durable := time.Now()
	err = o.look(id, position)
	return time.Since(durable), true, err
}

func visibleRows(lab *Lab) []Row {
	name := "durable to visible at " + strconv.Itoa(pacePerSecond) + " commands/s"
	const group = "visible"
	subject := visible(lab)
	return []Row{
		{Name: name + ", p50", Group: group, Figure: P50, Subject: subject, Budget: atMost(4), Unit: "ms"},
		{Name: name + ", p99", Group: group, Figure: P99, Subject: subject, Budget: atMost(20), Aim: atMost(8), Unit: "ms"},
	}
}
