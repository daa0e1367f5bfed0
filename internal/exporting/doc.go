// Package exporting writes rows into files that other programs read: JSON Lines,
// CSV and Parquet. It reads the rows of read models from Postgres; whoever has
// other rows, such as events, brings them.
//
// Memory is bounded by a row group of Parquet and not by what is exported. An
// export into a folder is a dataset with a manifest, which tells how far it is
// and by which an interrupted one goes on.
package exporting
