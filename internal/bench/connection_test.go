package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

func TestAConnectionIsUsedOverAndOver(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusBadRequest)
		}
		w.Header().Set("From", r.RemoteAddr)
		w.Header().Set("Asked", r.Method+" "+r.URL.Path+" "+r.Header.Get("If-Match")+" "+strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, "done") // the client says if it is missing
	}))
	defer server.Close()
	c, err := dial(t.Context(), strings.TrimPrefix(server.URL, "http://"), "secret")
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]bool{}
	for _, request := range []struct{ method, body, want string }{
		{http.MethodPost, `{"n":1}`, `POST /things "3" 7`},
		{http.MethodGet, "", `GET /things "3" 0`},
	} {
		answer, err := c.do(http.StatusOK, request.method, "/things", request.body, "If-Match", `"3"`)
		if err != nil {
			t.Fatal(err)
		}
		from[answer.header.Get("From")] = true
		if got := answer.header.Get("Asked"); got != request.want || string(answer.body) != "done" {
			t.Errorf("%q, %q; want %q", got, answer.body, request.want)
		}
	}
	if len(from) != 1 {
		t.Errorf("connections from %v", from)
	}
	if _, err := c.do(http.StatusTeapot, http.MethodGet, "/things", ""); err == nil {
		t.Error("another status than the one wanted is no error")
	}
}
