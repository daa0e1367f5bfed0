package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Machine is what the figures were measured on.
type Machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryGB   float64 `json:"memoryGB"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"fileSystem"`
	FsyncP50   float64 `json:"fsyncP50Milliseconds"` // of 4 KiB appended to a file
	FsyncP99   float64 `json:"fsyncP99Milliseconds"`
	LoadBefore float64 `json:"loadBefore"` // load average over the minute before
	Go         string  `json:"go"`
	Pebble     string  `json:"pebble"`
	Postgres   string  `json:"postgres"` // "" where there is none
	Node       string  `json:"node"`
}

// describeMachine looks around. What it cannot find out it leaves empty.
func describeMachine(ctx context.Context) (Machine, error) {
	p50, p99, err := measureFsync(os.TempDir())
	if err != nil {
		return Machine{}, err
	}
	return Machine{
		CPU:        field("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		MemoryGB:   memoryGB(),
		Kernel:     firstLine("/proc/sys/kernel/osrelease"),
		FileSystem: fileSystem(os.TempDir()),
		FsyncP50:   p50,
		FsyncP99:   p99,
		LoadBefore: loadAverage(),
		Go:         runtime.Version(),
		Pebble:     moduleVersion("github.com/cockroachdb/pebble/v2"),
		Postgres:   postgresVersion(ctx),
		Node:       programVersion(ctx, "node"),
	}, nil
}

// busy says that others had work for every core right before the run: its
// figures are then theirs as much as ours.
func (m Machine) busy() bool { return m.LoadBefore >= float64(m.Cores) }

// measureFsync times what a durable append cannot do without.
func measureFsync(dir string) (p50, p99 float64, err error) {
	file, err := os.CreateTemp(dir, "portal-bench-fsync-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	page := make([]byte, 4096)
	times := make([]time.Duration, 500)
	for i := range times {
		if _, err := file.Write(page); err != nil {
			return 0, 0, err
		}
		started := time.Now()
		if err := file.Sync(); err != nil {
			return 0, 0, err
		}
		times[i] = time.Since(started)
	}
	slices.Sort(times)
	return milliseconds(percentile(times, 50)), milliseconds(percentile(times, 99)), nil
}

// Magic numbers of statfs(2).
var fileSystems = map[int64]string{
	0xEF53:     "ext4",
	0x58465342: "xfs",
	0x9123683E: "btrfs",
	0x2FC12FC1: "zfs",
	0x794C7630: "overlay",
	0x01021994: "tmpfs",
	0x858458F6: "ramfs",
}

func onMemoryFileSystem(dir string) (bool, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return false, fmt.Errorf("%s: %w", dir, err)
	}
	name := fileSystems[int64(stat.Type)] //nolint:unconvert // int32 on some platforms
	return name == "tmpfs" || name == "ramfs", nil
}

func fileSystem(dir string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return ""
	}
	if name, known := fileSystems[int64(stat.Type)]; known { //nolint:unconvert // see above
		return name
	}
	return fmt.Sprintf("type %#x", stat.Type)
}

// field finds "name : value" in one of the kernel's files.
func field(path, name string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func firstLine(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}

func loadAverage() float64 {
	var average float64
	if _, err := fmt.Sscanf(firstLine("/proc/loadavg"), "%f", &average); err != nil {
		return 0
	}
	return average
}

func memoryGB() float64 {
	var kilobytes float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kilobytes); err != nil {
		return 0
	}
	return kilobytes / (1 << 20)
}

func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return ""
}

func postgresVersion(ctx context.Context) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return programVersion(ctx, "postgres")
	}
	return programVersion(ctx, found[len(found)-1])
}

func programVersion(ctx context.Context, program string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(out))
}
