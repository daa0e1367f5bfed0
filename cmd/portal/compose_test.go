package main

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// composition is what the tests look at in docker-compose.yml.
type composition struct {
	Services map[string]struct {
		Image       string
		Environment map[string]string
		Ports       []string
		Volumes     []string
		DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	}
	Volumes map[string]any
}

func readComposition(t *testing.T) (c composition) {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

var substitution = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`)

// byDefault is the value where nothing is set outside.
func byDefault(value string) string { return substitution.ReplaceAllString(value, "$1") }

// The variables that compose sets are those that `portal serve` knows, all of
// them, and what they are set to is accepted.
func TestComposeSetsTheVariablesOfServe(t *testing.T) {
	t.Parallel()
	set := readComposition(t).Services["portal"].Environment
	var want, got []string
	for _, v := range variables {
		want = append(want, v.name)
		value := byDefault(set[v.name])
		if value == "" && v.required {
			t.Errorf("%s is required and not set", v.name)
		}
		if value != "" && v.check != nil {
			if err := v.check(value); err != nil {
				t.Errorf("%s: %v", v.name, err)
			}
		}
	}
	for name := range set {
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-serve +compose):\n%s", diff)
	}
}

func TestComposeRunsAnEncryptedClusterOfThree(t *testing.T) {
	t.Parallel()
	c := readComposition(t)
	portal := c.Services["portal"]
	connection := byDefault(portal.Environment["PORTAL_EVENTSTORE"])
	_, rest, _ := strings.Cut(connection, "@")
	hosts, query, _ := strings.Cut(rest, "?")
	options, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if options.Get("tls") != "true" || options.Get("tlsCaFile") != "/certificates/trusted/ca.crt" {
		t.Errorf("the portal connects with %v", options)
	}
	nodes := map[string]bool{}
	for _, name := range []string{"log1", "log2", "log3"} {
		node := c.Services[name]
		env := node.Environment
		address := env["EVENTSTORE_NODE_IP"] + ":" + env["EVENTSTORE_NODE_PORT"]
		nodes[address] = true
		if !slices.Contains(strings.Split(hosts, ","), address) {
			t.Errorf("the portal does not know %s at %s", name, address)
		}
		if env["EVENTSTORE_CLUSTER_SIZE"] != "3" || env["EVENTSTORE_INSECURE"] != "" {
			t.Errorf("%s is set up with %v", name, env)
		}
		if seeds := strings.Split(env["EVENTSTORE_GOSSIP_SEED"], ","); len(seeds) != 2 || slices.Contains(seeds, address) {
			t.Errorf("%s looks for the others at %v", name, seeds)
		}
		if env["EVENTSTORE_CERTIFICATE_FILE"] != "/certificates/"+name+"/node.crt" ||
			env["EVENTSTORE_CERTIFICATE_PRIVATE_KEY_FILE"] != "/certificates/"+name+"/node.key" {
			t.Errorf("%s has another node's certificate: %v", name, env)
		}
		if node.DependsOn["certificates"].Condition != "service_completed_successfully" {
			t.Errorf("%s does not wait for its certificate", name)
		}
		if portal.DependsOn[name].Condition != "service_healthy" {
			t.Errorf("the portal does not wait for %s", name)
		}
		if len(node.Ports) > 0 {
			t.Errorf("%s can be reached from outside at %v", name, node.Ports)
		}
	}
	if len(nodes) != 3 {
		t.Errorf("the nodes are %v", nodes)
	}
}

func TestComposeHoldsTogether(t *testing.T) {
	t.Parallel()
	c := readComposition(t)
	for name, service := range c.Services {
		if image := service.Image; image != "" && (!strings.Contains(image, ":") || strings.HasSuffix(image, ":latest")) {
			t.Errorf("%s: image %s has no fixed version", name, image)
		}
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: %s can be reached from other machines", name, port)
			}
		}
		for _, mount := range service.Volumes {
			volume, _, _ := strings.Cut(mount, ":")
			if _, known := c.Volumes[volume]; !known {
				t.Errorf("%s: there is no volume %s", name, volume)
			}
		}
		for other := range service.DependsOn {
			if _, known := c.Services[other]; !known {
				t.Errorf("%s waits for %s, which is not there", name, other)
			}
		}
	}
	if host := byDefault(c.Services["portal"].Environment["SMTP_URL"]); !strings.HasPrefix(host, "smtp://mail:") {
		t.Errorf("the portal's mail goes to %s", host)
	}
}

func TestTheImageIsSmallAndNotRoot(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, final, found := strings.Cut(string(text), "\nFROM gcr.io/distroless/static")
	if !found || strings.Contains(final, "\nFROM ") {
		t.Fatal("the last stage is not the one with nothing in it")
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0 go build") {
		t.Error("the binary is not static")
	}
	user := regexp.MustCompile(`(?m)^USER (\d+)`).FindStringSubmatch(final)
	if user == nil || user[1] == "0" {
		t.Errorf("it runs as %v", user)
	}
	for _, m := range regexp.MustCompile(`(?m)\b((?:PORTAL|DATABASE|STRIPE|SMTP|SMS)_\w+)=`).FindAllStringSubmatch(final, -1) {
		if !slices.ContainsFunc(variables, func(v variable) bool { return v.name == m[1] }) {
			t.Errorf("%s is no variable of the portal", m[1])
		}
	}
}
