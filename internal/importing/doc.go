// Package importing brings histories from other systems into the log, through
// the same decisions as everything else.
//
// A history is a CSV file, plain or gzipped, in which each row is a step of a
// case. The file is read and checked as a whole before anything is appended.
// Then each row becomes one or a few commands, in the order of its case; cases
// go side by side. What a decision refuses is handed back with its row.
//
// The events say of themselves that they are imported, when they happened
// according to the file, and when the portal learnt of them. Ids of commands
// and records derive from the business, the kind of file, the case and the row.
// So a row that has been imported is recognised: the same file adds nothing a
// second time, an import that was interrupted goes on where it ended, and a row
// that says something else than it used to is refused.
package importing
