package api

// Unready is a 503 for what will be there in a moment: the answer says after how
// many seconds to ask again.
func Unready(code, detail string) error { return busy(nil, code, detail) }

// Filling is an Unready with what tells how far it is.
func Filling(code, detail string, progress any) error {
	d := busy(nil, code, detail)
	d.Details = progress
	return d
}
