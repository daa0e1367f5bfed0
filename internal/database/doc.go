// Package database is the portal's Postgres: connections, the schema, and who
// may see which rows.
//
// One database holds four kinds of data, apart from each other: read models
// (one schema for each build of a projection, reached through the views in
// schema read; all of it can be dropped and made again from the log) with the
// runner's own notes about them (schema runner), identity, keys, and jobs.
//
// Two roles without login divide the rights. Requests read as portal_reader,
// which sees a business's rows only once the transaction names the business.
// portal_runner is whom the row-level security of read models lets through;
// the user that the portal connects as is made a member of both.
package database
