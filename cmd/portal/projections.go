package main

import "portal.example/projections/runner"

// projections are the read models: a new one is a folder and a line here.
func projections() []runner.Projection {
	return nil
}
