package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"portal.example/eventstore"
)

// On imported history: A1 was paid after 3 days, with more than was owed; A2 never;
// A3 was raised, then paid in part; A4 was raised and never paid. All are due sixty
// days after their issue.
func TestWhatIfFromTheCommandLine(t *testing.T) {
	cfg := config{listen: "127.0.0.1:0", data: t.TempDir(), database: migratedDatabase(t)}
	t.Setenv("DATABASE_URL", cfg.database)
	t.Setenv("PORTAL_DATA", cfg.data)
	p := serveWith(t, cfg)
	importFines(t, "acme", oldFines)
	created := p.post("/customers", p.office, `{"name":"Ann"}`).must(201)
	p.get("/dashboards/money", p.office, created).must(200)
	head := func() eventstore.Position {
		t.Helper()
		at, err := p.server.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := head()

	figures := func(m any) string {
		of := func(name string) string {
			pair := m.(map[string]any)[name].(map[string]any)
			if pair["difference"] != pair["rule"].(float64)-pair["actual"].(float64) {
				t.Errorf("%s: %v", name, pair)
			}
			return fmt.Sprintf("%v/%v", pair["actual"], pair["rule"])
		}
		return of("lateFees") + " " + of("outstanding")
	}
	ask := func(args ...string) (map[string]any, string) {
		t.Helper()
		report := answered(t, append([]string{"projections", "whatif", "late-fee", "--business", "acme"}, args...)...)
		items := map[string]string{}
		for _, item := range report["items"].([]any) {
			items[item.(map[string]any)["reference"].(string)] = figures(item)
		}
		return report, fmt.Sprint(items)
	}

	// A flat fee of 15.00 after thirty days: A3 and A4 paid more, A2 nothing.
	report, items := ask("--grace-days", "30", "--flat", "1500")
	if want := "map[A2:0/1500 4700/6200 A3:2500/1500 4200/3200 A4:3000/1500 9000/7500]"; items != want {
		t.Errorf("flat: %s, want %s", items, want)
	}
	if rule, _ := report["rule"].(map[string]any); report["policy"] != "late-fee" || rule["flat"] != 1500.0 || rule["graceDays"] != 30.0 {
		t.Errorf("the rule: %v", rule)
	}
	if got, want := figures(report["totals"]), "5500/4500 17900/16900"; got != want ||
		report["invoices"] != 4.0 || report["differ"] != 3.0 || report["customersDiffer"] != 3.0 || report["leftOut"] != 0.0 {
		t.Errorf("in all %s, want %s: %v", got, want, report)
	}

	// 5 % of what is owed: of 47.00, of 25.00 + 12.00, of 60.00.
	if _, items := ask("--grace-days", "30", "--percent", "5.00"); items != "map[A2:0/235 4700/4935 A3:2500/185 4200/1885 A4:3000/300 9000/6300]" {
		t.Errorf("percent: %s", items)
	}
	report, items = ask("--flat", "1500", "--limit", "1")
	if len(report["items"].([]any)) != 1 || len(report["customers"].([]any)) != 1 || !strings.HasPrefix(items, "map[A2:") && !strings.HasPrefix(items, "map[A4:") {
		t.Errorf("the one that differs most: %s, %v", items, report)
	}
	if report, _ = ask("--flat", "1500", "--currency", "JPY"); report["invoices"] != 0.0 || report["leftOut"] != 4.0 {
		t.Errorf("in yen: %v", report)
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), strings.Fields("projections whatif late-fee --business acme --grace-days 30 --flat 1500"), &out, &errs); status != exitOK ||
		!strings.HasPrefix(out.String(), "3 of 4 invoices in EUR differ, of 3 customers") || !strings.Contains(out.String(), "169.00") {
		t.Errorf("status %d: %s%s", status, out.String(), errs.String())
	}
	if after := head(); after != before {
		t.Errorf("the log was at %s, and is at %s", before, after)
	}

	for _, wrong := range []string{
		"", "late-fee", "late-fee --business acme", "late-fee --business acme --flat 1 --percent 1", "late-fee --business acme --percent 5%",
		"late-fee --business acme --flat 1 --limit -1", "late-fee --business acme --flat 1 --currency CLM", "late-fee --flat 1",
	} {
		refuses(t, exitMisused, append([]string{"projections", "whatif"}, strings.Fields(wrong)...)...)
	}
	refuses(t, exitFailed, strings.Fields("projections whatif late-fee --business nobody --flat 1")...)
}
