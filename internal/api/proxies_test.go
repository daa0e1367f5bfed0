package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
)

const proxy = "10.1.2.3"

// seenFrom is the address that a request of this peer is recorded with.
func seenFrom(t testing.TB, trusted, peer string, headers http.Header) (ip string) {
	t.Helper()
	proxies, err := api.ParseProxies(trusted)
	if err != nil {
		t.Fatal(err)
	}
	a, router := api.New(api.Config{Tokens: tokens{}, Proxies: proxies})
	huma.Register(a, huma.Operation{
		OperationID: "where", Method: http.MethodGet, Path: "/api/v1/where", Security: api.Public,
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		ip = api.OriginOf(ctx).IP
		return nil, nil
	})
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/v1/where", nil)
	r.RemoteAddr, r.Header = peer, headers
	router.ServeHTTP(httptest.NewRecorder(), r)
	return ip
}

func TestWhomARequestIsFrom(t *testing.T) {
	t.Parallel()
	const networks = "10.0.0.0/8, 2001:db8:1::/48,192.0.2.7"
	for _, c := range []struct {
		name, trusted, peer  string
		forwardedFor, header []string
		want                 string
	}{
		{"nobody is trusted", "", proxy + ":1", []string{"198.51.100.1"}, nil, proxy},
		{"the peer is not trusted", networks, "203.0.113.1:1", []string{"198.51.100.1"}, []string{"for=198.51.100.1"}, "203.0.113.1"},
		{"the proxy says nothing", networks, proxy + ":1", nil, nil, proxy},
		{"one hop", networks, proxy + ":1", []string{"198.51.100.1"}, nil, "198.51.100.1"},
		{"what is further left is a claim", networks, proxy + ":1", []string{"6.6.6.6, 198.51.100.1"}, nil, "198.51.100.1"},
		{"over several proxies", networks, proxy + ":1", []string{"6.6.6.6, 198.51.100.1,10.9.9.9", "192.0.2.7"}, nil, "198.51.100.1"},
		{"from inside", networks, proxy + ":1", []string{"10.7.7.7, 10.9.9.9"}, nil, "10.7.7.7"},
		{"rubbish behind a proxy", networks, proxy + ":1", []string{"6.6.6.6, unknown, 10.9.9.9"}, nil, "10.9.9.9"},
		{"with a port", networks, proxy + ":1", []string{"198.51.100.1:4711"}, nil, "198.51.100.1"},
		{"IPv4 in IPv6", networks, "[::ffff:10.1.2.3]:1", []string{"::ffff:198.51.100.1"}, nil, "198.51.100.1"},
		{"IPv6", networks, "[2001:db8:1::5]:1", []string{"2001:db8:2::1"}, nil, "2001:db8:2::1"},
		{"forwarded", networks, proxy + ":1", nil, []string{`for=6.6.6.6, For="[2001:db8:2::1]:4711";proto=https;by=10.1.2.3`}, "2001:db8:2::1"},
		{"forwarded in lines", networks, proxy + ":1", nil, []string{"for=6.6.6.6", "proto=http ; for=198.51.100.1", `host="a,b;c=\"d";for=10.9.9.9`}, "198.51.100.1"},
		{"forwarded without a for", networks, proxy + ":1", nil, []string{"for=6.6.6.6, proto=https"}, proxy},
		{"forwarded by a pseudonym", networks, proxy + ":1", nil, []string{"for=6.6.6.6, for=_hidden"}, proxy},
		{"a host that looks like an element", networks, proxy + ":1", nil, []string{`for=198.51.100.1;host="x, for=6.6.6.6"`}, "198.51.100.1"},
		{"a quotation begun by the client", networks, proxy + ":1", nil, []string{`for=", for=198.51.100.1`}, proxy},
		{"two fors", networks, proxy + ":1", nil, []string{`for=198.51.100.1;for=6.6.6.6`}, proxy},
		{"both agree", networks, proxy + ":1", []string{"6.6.6.6, 198.51.100.1"}, []string{"for=198.51.100.1"}, "198.51.100.1"},
		{"both disagree", networks, proxy + ":1", []string{"198.51.100.1"}, []string{"for=6.6.6.6"}, proxy},
	} {
		headers := http.Header{"X-Forwarded-For": c.forwardedFor, "Forwarded": c.header}
		if got := seenFrom(t, c.trusted, c.peer, headers); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestListsOfProxies(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"", " ", "10.0.0.0/8", "10.0.0.1", "::1,fd00::/8 , 127.0.0.0/8", "10.1.2.3/8,"} {
		if _, err := api.ParseProxies(list); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, list := range []string{"10.0.0.0/33", "proxy.example.com", "10.0.0.0/8 fd00::/8", "fe80::1%eth0", "::ffff:10.0.0.0/104", "1.2.3"} {
		if p, err := api.ParseProxies(list); err == nil || strings.Contains(err.Error(), list) {
			t.Errorf("%q: %v, %v", list, p, err)
		}
	}
}

// Whatever a client writes into the headers, a proxy that adds the client's
// address is believed, or nobody is.
func FuzzNobodyPretendsToBeElsewhere(f *testing.F) {
	for _, claim := range []string{"6.6.6.6", `for=6.6.6.6`, `for="`, `for="\`, `for=6.6.6.6;host="`, `,`, `for=6.6.6.6, `, `;`, `"`, `="`, `for="6.6.6.6", x="`} {
		f.Add(claim)
	}
	const client = "198.51.100.1"
	f.Fuzz(func(t *testing.T, claim string) {
		for name, added := range map[string][]string{
			"X-Forwarded-For": {client},
			"Forwarded":       {"for=" + client, `for="` + client + `:4711";proto="https"`, `proto=https;For="` + client + `"`},
		} {
			for _, element := range added {
				got := seenFrom(t, "10.0.0.0/8", proxy+":1", http.Header{name: {claim + ", " + element}})
				if got != client && got != proxy {
					t.Errorf("%s: %s, %s: %s", name, claim, element, got)
				}
			}
		}
	})
}
