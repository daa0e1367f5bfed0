package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPostgresGoesWhereItsUserGets(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	data := filepath.Join(t.TempDir(), "data") // which nobody else gets to
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := postgresFolder(data, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if dir != filepath.Join(data, "postgres") {
			t.Errorf("Postgres is in %s", dir)
		}
		return
	}
	linked, err := os.Readlink(filepath.Join(data, "postgres"))
	if err != nil || linked != dir || filepath.Dir(dir) != elsewhere {
		t.Errorf("Postgres is in %s, the link says %q, %v", dir, linked, err)
	}
	if again, err := postgresFolder(data, elsewhere); err != nil || again != dir {
		t.Errorf("the next start looks in %s, %v", again, err)
	}

	reached := demoFolder(t)
	if err := os.Mkdir(reached, 0o700); err != nil {
		t.Fatal(err)
	}
	if dir, err := postgresFolder(reached, elsewhere); err != nil || dir != filepath.Join(reached, "postgres") {
		t.Errorf("Postgres is in %s, %v, where its user gets to %s", dir, err, reached)
	}
	if info, err := os.Stat(reached); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
}
