package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"portal.example/internal/adapters/keys"
	"portal.example/internal/api"
)

// config is what the environment says.
type config struct {
	listen     string
	baseURL    string
	data       string
	database   string
	eventStore string
	masterKey  string
	proxies    string
	traces     string
	cutOver    string

	// Of parts that are not there yet; a wrong value is refused all the same.
	stripeKey, stripeBase, stripeWebhook, smtp, sms string
}

// variable is one environment variable.
type variable struct {
	name, fallback, about string
	required              bool
	into                  func(*config) *string
	check                 func(string) error // of a value that is set; must not repeat it
}

var variables = []variable{
	{
		name: "PORTAL_LISTEN", fallback: "127.0.0.1:8080", about: "address to serve, host:port",
		into: func(c *config) *string { return &c.listen }, check: isAddress,
	},
	{
		name: "PORTAL_BASE_URL", about: "how the portal is reached from outside, such as https://portal.example.com",
		into: func(c *config) *string { return &c.baseURL }, check: isURL("http", "https"),
	},
	{
		name: "PORTAL_TRUSTED_PROXIES", about: "networks of reverse proxies that say whom a request is from, such as 10.0.0.0/8, separated by commas",
		into: func(c *config) *string { return &c.proxies }, check: areProxies,
	},
	{
		name: "PORTAL_DATA", fallback: ".data", about: "folder of the log and the master key",
		into: func(c *config) *string { return &c.data },
	},
	{
		name: "DATABASE_URL", about: "Postgres, as a postgres:// URL", required: true,
		into: func(c *config) *string { return &c.database }, check: isDatabase,
	},
	{
		name: "PORTAL_EVENTSTORE", about: "EventStoreDB's connection string; unset, the portal is its own log",
		into: func(c *config) *string { return &c.eventStore }, check: isURL("esdb", "esdb+discover", "eventstore", "eventstoredb", "kurrentdb"),
	},
	{
		name: "PORTAL_MASTER_KEY", about: "base64 of 32 bytes; unset, a file in PORTAL_DATA made at first start",
		into: func(c *config) *string { return &c.masterKey }, check: isMasterKey,
	},
	{
		name: "OTEL_EXPORTER_OTLP_ENDPOINT", about: "collector of traces, OTLP over HTTP, such as http://localhost:4318; unset, there are none",
		into: func(c *config) *string { return &c.traces }, check: isURL("http", "https"),
	},
	{
		name: "PORTAL_PROJECTIONS_CUTOVER", fallback: "auto", about: "auto: the next version of a read model goes live once it is filled; manual: it waits for `portal projections cutover`",
		into: func(c *config) *string { return &c.cutOver }, check: isOneOf("auto", cutOverOnRequest),
	},
	{
		name: "STRIPE_API_KEY", about: "Stripe's secret key; unset, paying online is off",
		into: func(c *config) *string { return &c.stripeKey }, check: isOneLine,
	},
	{
		name: "STRIPE_API_BASE", about: "where Stripe's API is, for tests",
		into: func(c *config) *string { return &c.stripeBase }, check: isURL("http", "https"),
	},
	{
		name: "STRIPE_WEBHOOK_SECRET", about: "that Stripe signs its webhooks with",
		into: func(c *config) *string { return &c.stripeWebhook }, check: isOneLine,
	},
	{
		name: "SMTP_URL", about: "mail server; unset, mail stays in a local inbox",
		into: func(c *config) *string { return &c.smtp }, check: isURL("smtp", "smtps"),
	},
	{
		name: "SMS_URL", about: "HTTP provider of text messages",
		into: func(c *config) *string { return &c.sms }, check: isURL("http", "https"),
	},
}

// readConfig reads the environment. Its errors name the variable and never show
// the value, which may be a secret.
func readConfig() (config, error) {
	var c config
	for _, v := range variables {
		value := cmp.Or(os.Getenv(v.name), v.fallback)
		switch {
		case value == "" && v.required:
			return config{}, misusef("%s: missing: %s", v.name, v.about)
		case value != "" && v.check != nil:
			if err := v.check(value); err != nil {
				return config{}, misusef("%s: %w", v.name, err)
			}
		}
		*v.into(&c) = value
	}
	return c, nil
}

// variablesHelp lists the variables for people.
func variablesHelp() string {
	var b strings.Builder
	b.WriteString("\n\nEnvironment:\n")
	for _, v := range variables {
		fmt.Fprintf(&b, "  %-27s %s", v.name, v.about)
		switch {
		case v.required:
			b.WriteString(" (required)")
		case v.fallback != "":
			fmt.Fprintf(&b, " (%s)", v.fallback)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func isAddress(value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return errors.New("must be host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("must end in a port number")
	}
	return nil
}

func areProxies(value string) error {
	_, err := api.ParseProxies(value)
	return err
}

func isURL(schemes ...string) func(string) error {
	return func(value string) error {
		scheme, rest, found := strings.Cut(value, "://")
		for _, s := range schemes {
			// A list of hosts is no URL to package url.
			if _, err := url.Parse(scheme + "://" + strings.ReplaceAll(rest, ",", ".")); found && s == scheme && rest != "" && err == nil {
				return nil
			}
		}
		return fmt.Errorf("must be a URL that begins with %s://", strings.Join(schemes, ":// or "))
	}
}

func isDatabase(value string) error {
	if _, err := pgx.ParseConfig(value); err != nil {
		return errors.New("must be a URL such as postgres://host:5432/name")
	}
	return nil
}

func isMasterKey(value string) error {
	if _, err := keys.OpenMaster(value, ""); err != nil {
		_, said, _ := strings.Cut(err.Error(), ": ")
		return errors.New(said)
	}
	return nil
}

// cutOverOnRequest is the value under which the next version of a read model waits.
const cutOverOnRequest = "manual"

func isOneOf(values ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(values, value) {
			return fmt.Errorf("must be %s", strings.Join(values, " or "))
		}
		return nil
	}
}

func isOneLine(value string) error {
	if strings.ContainsAny(value, " \t\r\n") {
		return errors.New("must be one word")
	}
	return nil
}
