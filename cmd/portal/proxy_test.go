package main

import (
	"bytes"
	"strings"
	"testing"
)

// The address in the log is the customer's, as the proxy before the portal tells
// it, and not what the customer wrote there themselves.
func TestTheLogHasTheCustomersAddressAndNotTheProxys(t *testing.T) {
	t.Parallel()
	p := serveWith(t, config{
		listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t), proxies: "127.0.0.0/8",
	})
	id := p.post("/customers", p.office, `{"name":"Eve"}`, "X-Forwarded-For", "6.6.6.6, 198.51.100.1").must(201).id()
	added := p.then("customer-"+id, "CustomerAdded")
	if err := p.server.codec.OpenMetadata(t.Context(), added); err != nil || added[0].Metadata.IP != "198.51.100.1" {
		t.Errorf("recorded from %q, %v", added[0].Metadata.IP, err)
	}
}

func TestWrongProxiesAndCollectorsAreOneLine(t *testing.T) {
	for name, value := range map[string]string{
		"PORTAL_TRUSTED_PROXIES":      "proxy.example.com",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DATABASE_URL", "postgres://localhost/portal")
			t.Setenv("PORTAL_DATA", t.TempDir())
			t.Setenv(name, value)
			var out, errs bytes.Buffer
			if status := run(t.Context(), []string{"serve"}, &out, &errs); status != exitMisused {
				t.Errorf("exit status %d", status)
			}
			line := strings.TrimSpace(errs.String())
			if !strings.Contains(line, name) || strings.Contains(line, "\n") || strings.Contains(line, value) {
				t.Errorf("said %q", line)
			}
		})
	}
}
