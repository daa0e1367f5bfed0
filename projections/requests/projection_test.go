package requests_test

import (
	"testing"
	"time"

	"portal.example/domain/domaintest"
	"portal.example/domain/request"
	"portal.example/projections/projectiontest"
	"portal.example/projections/requests"
)

// Whose turn it is, and since when.
func TestRequests(t *testing.T) {
	t.Parallel()
	id, customer, at := domaintest.ID(1), domaintest.ID(2), domaintest.Noon
	filed := request.Filed{
		RequestID: id, BusinessID: domaintest.ID(3), CustomerID: customer, Kind: request.Lead, Channel: "Desk",
		Reference: "case-1", Subject: "Leak", Handler: request.Handler{StaffID: "Resource21", Team: "Group 1"},
		Deadline: at.AddDate(0, 0, 7), At: at,
	}
	asked := request.AskedBack{CustomerID: customer, Question: "Where?", At: at.Add(time.Hour)}
	replied := request.Replied{CustomerID: customer, ContactID: domaintest.Dana.ID, Text: "Here", At: at.Add(2 * time.Hour)}
	tests := map[string]struct {
		given []any
		want  map[string]any
	}{
		"filed": {[]any{filed}, map[string]any{
			"status": "filed", "waiting_since": "2026-03-14T12:00:00+00:00", "deadline": "2026-03-21T12:00:00+00:00",
			"channel": "Desk", "handler": "Resource21", "team": "Group 1", "version": 1.0, "decided_at": nil,
		}},
		"triaged, which is no new version": {
			[]any{filed, request.Triaged{CustomerID: customer, Step: "T02", Handler: request.Handler{StaffID: "Resource10", Team: "Group 4"}, At: at}},
			map[string]any{"status": "filed", "handler": "Resource10", "team": "Group 4", "version": 1.0, "_position": 2000.0},
		},
		"asked back": {[]any{filed, asked}, map[string]any{"status": "asked-back", "waiting_since": nil, "version": 2.0}},
		"replied": {[]any{filed, asked, replied}, map[string]any{
			"status": "filed", "waiting_since": "2026-03-14T14:00:00+00:00", "version": 3.0,
		}},
		"accepted": {
			[]any{filed, request.Accepted{CustomerID: customer, Next: request.NextQuote, At: at.Add(3 * time.Hour)}},
			map[string]any{"status": "accepted", "waiting_since": nil, "decided_at": "2026-03-14T15:00:00+00:00"},
		},
		"declined": {
			[]any{filed, request.Declined{CustomerID: customer, Reason: "Far", At: at}},
			map[string]any{"status": "declined", "waiting_since": nil, "decided_at": "2026-03-14T12:00:00+00:00"},
		},
	}
	conn := projectiontest.Connect(t, requests.Projection{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &projectiontest.History{Business: domaintest.ID(3)}
			h.Add(projectiontest.Sam, request.Stream(id), test.given...)
			projectiontest.Expect(t, conn, requests.Projection{}, h, "requests", "request_id", id, test.want)
		})
	}
}
