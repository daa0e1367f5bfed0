package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// jsDir holds the packages from npm, seen from the root of the module.
const jsDir = "internal/bench/js"

// emmett is the side that appends by Emmett's appendToStream, driven by a
// Node.js process with as many loops and connections as there are writers.
func emmett(lab *Lab, writers int) *Side {
	return &Side{Name: "Emmett, appendToStream", Measure: func(ctx context.Context) (Sample, error) {
		if err := lab.npm(); err != nil {
			return nil, err
		}
		payloads, err := lab.payloadFile()
		if err != nil {
			return nil, err
		}
		return lab.withDatabase(ctx, func(url string) (Sample, error) {
			return runEmmett(ctx, url, payloads, lab.load(writers))
		})
	}}
}

func runEmmett(ctx context.Context, url, payloads string, load Load) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, load.Warmup+load.Window+startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "emmett.mjs", url, payloads, //nolint:gosec // our script
		strconv.Itoa(load.Writers),
		strconv.FormatInt(load.Warmup.Milliseconds(), 10),
		strconv.FormatInt(load.Window.Milliseconds(), 10),
		strconv.Itoa(eventsPerStream), category, eventType)
	cmd.Dir = jsDir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("emmett: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var sample Sample
	if err := json.Unmarshal(out, &sample); err != nil {
		return nil, fmt.Errorf("emmett: %w: %q", err, out)
	}
	return sample, nil
}

// installNodeModules brings in what package-lock.json names, where it is
// missing.
func installNodeModules(ctx context.Context) error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return unavailablef("%s is not installed", program)
		}
	}
	_, err := os.Stat(filepath.Join(jsDir, "node_modules", ".package-lock.json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = jsDir
	if out, err := cmd.CombinedOutput(); err != nil {
		first, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
		return unavailablef("npm ci: %v: %s", err, first)
	}
	return nil
}
