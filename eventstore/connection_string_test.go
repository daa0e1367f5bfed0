package eventstore_test

import (
	"bytes"
	"errors"
	"log" //nolint:depguard // the esdb client prints to it
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portal.example/eventstore"
)

func TestConnectTakesSoundConnectionStrings(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"esdb://localhost",
		"esdb://localhost:2113/",
		"esdb://localhost:2113?tls=false",
		"esdb://app:p%40ss%2Fw%3Ford@10.0.0.1:2113",
		"esdb://app:secret@one:2113,two:2113,three?nodePreference=follower&gossipTimeout=3",
		"esdb+discover://app:secret@cluster.example:2113?tlsVerifyCert=false",
		"esdb://localhost?tls=false&connectionName=portal&defaultDeadline=2000&keepAliveInterval=-1",
	} {
		client, err := eventstore.Connect(eventstore.Config{ConnectionString: s})
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if err := client.Close(); err != nil {
			t.Errorf("%s: close: %v", s, err)
		}
	}
}

// The password is s3cr3t in all of them, whole or cut up by what is wrong.
func TestConnectRefusesWithoutThePassword(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct{ name, given, says string }{
		{"nothing", "", "esdb://"},
		{"another scheme", "http://app:s3cr3t@localhost:2113", "esdb://"},
		{"no host", "esdb://app:s3cr3t@", "host 1"},
		{"an empty host among several", "esdb://app:s3cr3t@one,,three", "host 2"},
		{"a port that is none", "esdb://app:s3cr3t@localhost:port", "port"},
		{"a port out of range", "esdb://app:s3cr3t@localhost:70000", "port"},
		{"an IPv6 address", "esdb://app:s3cr3t@[::1]:2113", "host 1"},
		{"a path", "esdb://app:s3cr3t@localhost:2113/db", "after the hosts"},
		{"a slash in the password", "esdb://app:12/s3cr3t@localhost:2113", "%2F"},
		{"a question mark in the password", "esdb://app:12?s3cr3t@localhost:2113", "%3F"},
		{"a hash in the password", "esdb://app:12#s3cr3t@localhost:2113", "%23"},
		{"a percent sign in the password", "esdb://app:s3cr3t%zz@localhost:2113", "%25"},
		{"a comma in the password", "esdb://app:12,s3cr3t@localhost:2113,other", "%2C"},
		{"a colon in the password", "esdb://app:12:s3cr3t@localhost:2113", "%3A"},
		{"a control character in the password", "esdb://app:s3cr3t\x01@localhost:2113", "percent-encoded"},
		{"a forgotten host", "esdb://app:s3cr3t", "port"},
		{"a user without a password", "esdb://s3cr3t@localhost:2113", "user:password"},
		{"a password without a user", "esdb://:s3cr3t@localhost:2113", "user:password"},
		{"a misspelt setting", "esdb://app:s3cr3t@localhost:2113?tsl=false", "tsl"},
		{"a setting with a wrong value", "esdb://app:s3cr3t@localhost:2113?tls=perhaps", "tls"},
		{"a wrong preference", "esdb://app:s3cr3t@localhost:2113?nodePreference=best", "best"},
		{"no time for gossip", "esdb://app:s3cr3t@localhost:2113?gossipTimeout=0", "gossipTimeout"},
		{"a deadline that is none", "esdb://app:s3cr3t@localhost:2113?defaultDeadline=soon", "defaultDeadline"},
		{"half a certificate", "esdb://app:s3cr3t@localhost:2113?userCertFile=cert.pem", "userKeyFile"},
		{"a file that is not there", "esdb://app:s3cr3t@localhost:2113?tlsCaFile=/not/there.pem", "/not/there.pem"},
		{"a file that is no certificate", "esdb://app:s3cr3t@localhost:2113?tlsCaFile=" + notPEM, "certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := eventstore.Connect(eventstore.Config{ConnectionString: test.given})
			if !errors.Is(err, eventstore.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
			if text := err.Error() + logged.String(); strings.Contains(text, "s3cr3t") {
				t.Errorf("the password is in %q", text)
			}
		})
	}
}

func FuzzConnectKeepsThePassword(f *testing.F) {
	for _, seed := range []string{"", "%", "/", "?tls=", "@one,two", "#", ":1", "\x7f", "&a=b"} {
		f.Add(seed, "localhost:2113?tls=false")
	}
	f.Fuzz(func(t *testing.T, tail, rest string) {
		if strings.Contains(strings.ToLower(rest), "file") {
			return // a certificate file named by chance would be read from this machine
		}
		client, err := eventstore.Connect(eventstore.Config{ConnectionString: "esdb://app:s3cr3t" + tail + "@" + rest})
		if err == nil {
			_ = client.Close()
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the password is in %q", err)
		}
	})
}
