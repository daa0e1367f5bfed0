package api

// Unready is a 503 for what will be there in a moment: the answer says after how
// many seconds to ask again.
func Unready(code, detail string) error { return busy(nil, code, detail) }
