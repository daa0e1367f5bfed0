package domain

// Kind says what sort of refusal an Error is. One translator turns kinds into
// HTTP statuses.
type Kind string

// The kinds of refusal.
const (
	Invalid         Kind = "invalid"         // the input is not acceptable as it is
	Unauthenticated Kind = "unauthenticated" // nobody knows who is asking
	Forbidden       Kind = "forbidden"       // known, and not allowed
	NotFound        Kind = "not-found"       // does not exist, or not for this caller
	Conflict        Kind = "conflict"        // the record's state forbids it
	Precondition    Kind = "precondition"    // the record is not at the version the caller demanded
	TooLarge        Kind = "too-large"       // more than a limit allows
	RateLimited     Kind = "rate-limited"    // too often
	Unavailable     Kind = "unavailable"     // something needed is out of reach; try again
)

// Error is a refusal that its reader can act on. Any other error that leaves a
// decision is a defect.
type Error struct {
	Kind    Kind
	Code    string            // stable; what programs match and translations are found by
	Message string            // one English sentence, safe to show
	Field   string            // path of the field at fault in the command, "lines[2].quantity"; may be empty
	Args    map[string]string // the values in Message, for its translations
	Details any               // what the caller needs to go on; marshals to JSON
	Fields  []*Error          // set instead of Field where several fields are at fault
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// Is makes errors.Is compare by code, so that a refusal with a field or with
// details still is the refusal it was made from.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// In is the same refusal with the field at fault.
func (e *Error) In(field string) *Error {
	located := *e
	located.Field = field
	return &located
}

// With is the same refusal with details for the caller.
func (e *Error) With(details any) *Error {
	detailed := *e
	detailed.Details = details
	return &detailed
}

// Problems lists the refusal field by field; a refusal without fields has none.
func (e *Error) Problems() []*Error {
	switch {
	case len(e.Fields) > 0:
		return e.Fields
	case e.Field != "":
		return []*Error{e}
	}
	return nil
}
