package readapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// exported asks for an export as it is, and follows its cursors to the end.
func (w *world) exported(token, path string) (answers []*httptest.ResponseRecorder) {
	w.t.Helper()
	for after := ""; ; {
		request := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/api/v1/exports/"+path+after, nil)
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Portal-Position", w.last)
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK || recorder.Header().Get("Portal-As-Of") == "" {
			w.t.Fatalf("%s: %d %v %s", path, recorder.Code, recorder.Header(), recorder.Body)
		}
		answers = append(answers, recorder)
		next := recorder.Header().Get("Portal-Next")
		if next == "" {
			return answers
		}
		after = "&after=" + url.QueryEscape(next)
	}
}

func joined(answers []*httptest.ResponseRecorder) string {
	var all strings.Builder
	for _, a := range answers {
		all.Write(a.Body.Bytes())
	}
	return all.String()
}

func TestExports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := w.exported("analyst", "invoices?format=jsonl")
	if len(whole) != 1 || strings.Count(joined(whole), "\n") != 4 || whole[0].Header().Get("Content-Type") != "application/jsonl" {
		t.Fatalf("%d answers: %s", len(whole), joined(whole))
	}
	for limit, answers := range map[string]int{"1": 4, "3": 2, "4": 1} {
		for _, format := range []string{"jsonl", "csv"} {
			parts := w.exported("analyst", "invoices?format="+format+"&limit="+limit)
			if len(parts) != answers || joined(parts) != joined(w.exported("owner", "invoices?format="+format)) {
				t.Errorf("%s by %s: %d answers\n%s", format, limit, len(parts), joined(parts))
			}
		}
	}
	records, err := csv.NewReader(strings.NewReader(joined(w.exported("analyst", "invoices?format=csv&limit=2")))).ReadAll()
	if err != nil || len(records) != 5 || records[0][0] != "business_id" {
		t.Errorf("%v, %v", records, err)
	}
	rows := int64(0)
	for _, part := range w.exported("analyst", "invoices?format=parquet&limit=3") {
		f, err := parquet.OpenFile(bytes.NewReader(part.Body.Bytes()), int64(part.Body.Len()))
		if err != nil {
			t.Fatal(err)
		}
		rows += f.NumRows()
	}
	if rows != 4 {
		t.Errorf("%d rows of Parquet", rows)
	}
	if timeline := joined(w.exported("analyst", "timeline?limit=7")); strings.Count(timeline, "\n") < 20 ||
		timeline != joined(w.exported("analyst", "timeline?format=jsonl")) {
		t.Errorf("timeline: %s", timeline)
	}
}

func TestWhoMayExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, allowed := range map[string]string{
		"/exports/customers":                                "owner analyst",
		"/exports/customers?personal=true":                  "owner",
		"/exports/customers?personal=true&format=csv":       "owner",
		"/exports/customers?personal=false&format=parquet":  "owner analyst",
		"/exports/customers?personal=false&format=jsonl":    "owner analyst",
		"/exports/customers?personal=false&limit=1":         "owner analyst",
		"/exports/customers?format=csv&limit=1&personal=0":  "owner analyst",
		"/exports/contacts?limit=2&format=jsonl&personal=1": "owner",
	} {
		for _, token := range []string{"owner", "analyst", "auditor", "dana"} {
			want := http.StatusForbidden
			if strings.Contains(allowed, token) {
				want = http.StatusOK
			}
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1"+path, nil)
			request.Header.Set("Authorization", "Bearer "+token)
			recorder := httptest.NewRecorder()
			w.handler.ServeHTTP(recorder, request)
			if recorder.Code != want {
				t.Errorf("%s of %s: %d %s", path, token, recorder.Code, recorder.Body)
			}
		}
	}
	names := joined(w.exported("owner", "contacts?personal=true"))
	if without := joined(w.exported("owner", "contacts?limit=5")); !strings.Contains(names, "Dana Reyes") || strings.Contains(without, "Dana") {
		t.Errorf("with the right: %s\nwithout: %s", names, without)
	}
	if theirs := joined(w.exported("other", "customers?personal=true")); !strings.Contains(theirs, "Sato") || strings.Contains(theirs, "Reyes") {
		t.Errorf("another business: %s", theirs)
	}
}

func TestWrongExports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]int{
		"nothing": 404, "freshness": 404, "Invoices": 422, "invoices?format=xlsx": 422, "invoices?limit=0": 422,
		"invoices?limit=50001": 422, "invoices?after=x": 422,
		"invoices?after=" + cursor(`{"t":"customers","v":1,"k":["a"]}`):              422,
		"invoices?after=" + cursor(`{"t":"invoices","v":1,"k":["a","b"]}`):           422,
		"invoices?after=" + cursor(`{"t":"invoices","v":1,"k":["\u0000"]}`):          422,
		"invoices?after=" + cursor(`{"t":"invoices","v":99,"k":["a"]}`):              503, // begun before a cut-over
		"request_steps?after=" + cursor(`{"t":"request_steps","v":2,"k":["a","b"]}`): 422, // no number
	} {
		if a := w.get("owner", "/exports/"+path); a.status != want {
			t.Errorf("%s: %d %v", path, a.status, a.body)
		}
	}
}

func cursor(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
