package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"portal.example/domain"
	"portal.example/eventstore"
	"portal.example/internal/database"
)

// Details are the problem details of RFC 9457: what every refusal and every
// failure is answered with.
type Details struct {
	Type    string       `json:"type" doc:"always about:blank: the code says more" example:"about:blank"`
	Title   string       `json:"title" doc:"The status in words"`
	Status  int          `json:"status"`
	Code    string       `json:"code" doc:"Stable name of the problem, for programs" example:"quote_superseded"`
	Detail  string       `json:"detail" doc:"One sentence for people"`
	ID      string       `json:"id,omitempty" doc:"Under which the portal's own log has the cause"`
	Details any          `json:"details,omitempty" doc:"What the caller needs to go on"`
	Errors  []FieldFault `json:"errors,omitempty" doc:"The fields at fault"`

	args       map[string]string // the values in Detail, for its translations
	retryAfter int               // seconds; 0 says nothing
	cause      error             // for the log, never for the caller
	headers    http.Header
}

// FieldFault is what is wrong with one field.
type FieldFault struct {
	Field   string `json:"field" example:"lines[2].quantity"`
	Code    string `json:"code" example:"required"`
	Message string `json:"message"`

	args map[string]string // the values in Message
}

func (d *Details) Error() string { return d.Code + ": " + d.Detail }

// Unwrap is the cause.
func (d *Details) Unwrap() error { return d.cause }

// GetStatus implements huma.StatusError.
func (d *Details) GetStatus() int { return d.Status }

// ContentType implements huma.ContentTypeFilter.
func (d *Details) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError. It is the same header each time, so
// that huma.ErrorWithHeaders can add to it.
func (d *Details) GetHeaders() http.Header {
	if d.headers == nil {
		d.headers = http.Header{}
		if d.retryAfter > 0 {
			d.headers.Set("Retry-After", strconv.Itoa(d.retryAfter))
		}
		if d.Status == http.StatusUnauthorized {
			d.headers.Set("WWW-Authenticate", `Bearer realm="portal"`)
		}
	}
	return d.headers
}

// newDetails is a problem without fields.
func newDetails(status int, code, detail string) *Details {
	return &Details{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// retrySoon is after how many seconds something that was out of reach is worth
// another try.
const retrySoon = 2

// retryLater is the same for what takes a person to mend.
const retryLater = 30

// Problem is the one translator of errors: a refusal of the domain becomes its
// status, something out of reach 503, and what nobody expected an opaque 500
// with an id that the portal's log has. nil stays nil.
func Problem(err error) error {
	if err == nil {
		return nil
	}
	var details *Details
	if errors.As(err, &details) {
		return details
	}
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		return ofRefusal(refusal)
	}
	switch {
	case errors.Is(err, eventstore.ErrKeyReused):
		return newDetails(http.StatusUnprocessableEntity, "idempotency_key_reused",
			"the Idempotency-Key has been used for another request")
	case errors.Is(err, eventstore.ErrTooLarge):
		return newDetails(http.StatusRequestEntityTooLarge, "too_large", "the request is too large to be recorded")
	case errors.Is(err, eventstore.ErrWrongExpected):
		return busy(err, "contended", "too many others are changing the same record")
	case errors.Is(err, eventstore.ErrFull):
		full := busy(err, "log_full", "the event log has no room until somebody makes some; reading goes on: "+
			"repeat the request later with the same Idempotency-Key")
		full.retryAfter = retryLater
		return full
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClosed):
		return busy(err, "log_unavailable", "the event log is out of reach; whether the request was taken is not known: "+
			"repeat it with the same Idempotency-Key")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return busy(err, "timeout", "the answer took too long")
	case database.Away(err):
		return busy(err, "database_unavailable", "the database is out of reach")
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newDetails(http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("a request may have %d bytes", large.Limit))
	}
	return unexpected(err)
}

// statuses of the domain's kinds of refusal.
var statuses = map[domain.Kind]int{
	domain.Invalid:         http.StatusUnprocessableEntity,
	domain.Unauthenticated: http.StatusUnauthorized,
	domain.Forbidden:       http.StatusForbidden,
	domain.NotFound:        http.StatusNotFound,
	domain.Conflict:        http.StatusConflict,
	domain.Precondition:    http.StatusPreconditionFailed,
	domain.TooLarge:        http.StatusRequestEntityTooLarge,
	domain.RateLimited:     http.StatusTooManyRequests,
	domain.Unavailable:     http.StatusServiceUnavailable,
}

func ofRefusal(e *domain.Error) *Details {
	status, known := statuses[e.Kind]
	if !known {
		return unexpected(e)
	}
	d := newDetails(status, e.Code, e.Message)
	d.Details, d.args = e.Details, e.Args
	for _, problem := range e.Problems() {
		d.Errors = append(d.Errors, FieldFault{
			Field: problem.Field, Code: problem.Code, Message: problem.Message, args: problem.Args,
		})
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		d.retryAfter = retrySoon
	}
	return d
}

func busy(cause error, code, detail string) *Details {
	d := newDetails(http.StatusServiceUnavailable, code, detail)
	d.retryAfter, d.cause = retrySoon, cause
	return d
}

func unexpected(cause error) *Details {
	d := newDetails(http.StatusInternalServerError, "internal", "something went wrong; the id finds it in the portal's log")
	d.ID, d.cause = uuid.NewString(), cause
	return d
}

// huma keeps the maker of its errors in variables of its own: this makes them
// problems of ours, before the first route asks what an error looks like.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return fromHuma(status, message, errs)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return fromHuma(status, message, errs)
	}
}

// fromHuma translates what huma found: a handler's plain error, or faults of
// the request's shape.
func fromHuma(status int, message string, errs []error) *Details {
	if status == http.StatusInternalServerError && len(errs) == 1 {
		if details, ok := errors.AsType[*Details](Problem(errs[0])); ok {
			return details
		}
	}
	d := newDetails(status, cmp.Or(codes[status], "refused"), message)
	for _, err := range errs {
		if fault := faultOf(err); fault.Message != "" {
			d.Errors = append(d.Errors, fault)
		}
	}
	return d
}

var codes = map[int]string{
	http.StatusBadRequest:            "malformed",
	http.StatusUnauthorized:          "unauthenticated",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusRequestTimeout:        "timeout",
	http.StatusRequestEntityTooLarge: "too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusUnprocessableEntity:   "invalid",
	http.StatusInternalServerError:   "internal",
}

// faultOf leaves out the value at fault, which can be long or secret.
func faultOf(err error) FieldFault {
	if err == nil {
		return FieldFault{}
	}
	var detailer huma.ErrorDetailer
	if !errors.As(err, &detailer) {
		return FieldFault{Code: "invalid", Message: err.Error()}
	}
	detail := detailer.ErrorDetail()
	_, field, inside := strings.Cut(detail.Location, ".")
	if !inside {
		field = detail.Location
	}
	return FieldFault{Field: field, Code: "invalid", Message: detail.Message}
}
