package exporting

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Manifest tells what a dataset is, and how far its export is. It stands beside
// the files, is written after what it tells of is on disk, and its names stay.
type Manifest struct {
	Dataset string            `json:"dataset"`
	Format  Format            `json:"format"`
	Scope   map[string]string `json:"scope"` // what it is an export of: a folder is not for two of them
	Columns []Column          `json:"columns"`

	Files    []File   `json:"files"`
	Rows     int64    `json:"rows"`
	After    []string `json:"after"`    // key of the last row, after which the export goes on
	Complete bool     `json:"complete"` // there was nothing after it

	From  *Moment `json:"completeUpTo"` // all that had happened by then is in the rows
	Until *Moment `json:"newest"`       // nothing later is: an interrupted export is read at several moments
}

// File is a file of a dataset.
type File struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // that belong to it: what follows is of an interrupted run
}

// Moment is one at which rows were read.
type Moment struct {
	Position string    `json:"position"` // in the log
	AsOf     time.Time `json:"asOf"`
}

// manifestName is the name of a dataset's manifest.
func manifestName(dataset string) string { return dataset + ".manifest.json" }

// loadManifest is the manifest of what the folder has already. Where it has
// nothing, it is the one that is wanted.
func loadManifest(dir string, want Manifest) (Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName(want.Dataset)))
	if errors.Is(err, fs.ErrNotExist) {
		return want, nil
	}
	if err != nil {
		return want, err
	}
	var found Manifest
	if err := json.Unmarshal(text, &found); err != nil {
		return want, fmt.Errorf("%s is not the manifest of an export: %w", manifestName(want.Dataset), err)
	}
	for name := range mergedKeys(found.Scope, want.Scope) {
		if found.Scope[name] != want.Scope[name] {
			return want, fmt.Errorf("the folder has an export of %s whose %s is %q, not %q; take another folder",
				want.Dataset, name, found.Scope[name], want.Scope[name])
		}
	}
	if found.Format != want.Format || !slices.Equal(found.Columns, want.Columns) {
		return want, fmt.Errorf("the folder has an export of %s in another format or with other columns; take another folder", want.Dataset)
	}
	return found, nil
}

func mergedKeys(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

// store puts the manifest in the place of the one before, at once.
func (m Manifest) store(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, manifestName(m.Dataset))
	f, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return publish(dir, path)
}

// unfinished ends the names of files that are not whole.
const unfinished = ".partial"

// publish gives a whole file its name.
func publish(dir, path string) error {
	if err := os.Rename(path+unfinished, path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
