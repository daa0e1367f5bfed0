package main

import (
	"slices"
	"strings"
)

// allRows is the whole table. A new row is a line in one of these functions.
func allRows(lab *Lab) []Row {
	return slices.Concat(
		appendRowsOf32Writers(lab),
		appendRowsOfOneWriter(lab),
		readingRows(lab),
		growthRows(lab),
		commandRows(lab),
		visibleRows(lab),
		recordRows(lab),
		rebuildRows(lab),
		replayRows(lab),
		watermillRows(lab),
	)
}

// The durable append, TLS on, against what Postgres can do.
func appendRowsOf32Writers(lab *Lab) []Row {
	const name, group, writers = "durable append, 32 writers", "append, 32 writers", 32
	subject := appendingByPortal(lab, "node", startHere, writers)
	byOthers := appending(lab, "node by EventStoreDB's client", embeddedNode, startHere, writers)
	return []Row{
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: insert(lab, "Postgres, one-row insert", bareTable, writers), Budget: atLeast(1.1), Aim: atLeast(1.5),
		},
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: insert(lab, "Postgres, the same with a global order", eventTable, writers),
		},
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: emmett(lab, writers), Budget: atLeast(5), Aim: atLeast(7),
		},
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: messageDB(lab, writers, false), Budget: atLeast(5), Aim: atLeast(7),
		},
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: messageDB(lab, writers, true),
		},
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: appendingByPortal(lab, "node in a process of its own", startApart, writers),
		},
		{
			Name: name + ", by EventStoreDB's client", Group: group, Figure: Rate, Subject: byOthers,
			Baseline: subject,
		},
		{
			Name: name + ", by EventStoreDB's client", Group: group, Figure: Rate, Subject: byOthers,
			Baseline: appending(lab, "in-memory server", inMemory, startHere, writers),
		},
	}
}

func appendRowsOfOneWriter(lab *Lab) []Row {
	const name, group, writers = "durable append, 1 writer", "append, 1 writer", 1
	subject := appendingByPortal(lab, "node", startHere, writers)
	byOthers := appending(lab, "node by EventStoreDB's client", embeddedNode, startHere, writers)
	return []Row{
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: emmett(lab, writers), Budget: atLeast(2), Aim: atLeast(3),
		},
		{
			Name: name, Group: group, Figure: Rate, Subject: subject,
			Baseline: insert(lab, "Postgres, one-row insert", bareTable, writers),
		},
		{
			Name: name + ", by EventStoreDB's client", Group: group, Figure: Rate, Subject: byOthers,
			Baseline: appending(lab, "in-memory server", inMemory, startHere, writers),
		},
	}
}

// Reading the whole log against the same client's reading of a server that has
// everything in memory.
func readingRows(lab *Lab) []Row {
	const group = "reading"
	subject := reading(lab, "node", embeddedNode)
	messages := reading(lab, "in-memory server", inMemory)
	bytes := reading(lab, "in-memory server of encoded events", inMemoryEncoded)
	portal := readingByPortal(lab, "node by the portal's client")
	return []Row{
		{
			Name: "reading the log, ReadAll", Group: group, Figure: ReadAll, Subject: subject,
			Baseline: messages, Budget: atLeast(0.6), Aim: atLeast(0.9),
		},
		{
			Name: "reading the log, SubscribeToAll", Group: group, Figure: CatchUp, Subject: subject,
			Baseline: messages, Budget: atLeast(0.6), Aim: atLeast(0.9),
		},
		{
			Name: "reading the log, ReadAll", Group: group, Figure: ReadAll, Subject: subject,
			Baseline: bytes,
		},
		{
			Name: "reading the log, SubscribeToAll", Group: group, Figure: CatchUp, Subject: subject,
			Baseline: bytes,
		},
		{
			Name: "reading by the portal's client", Group: group, Figure: ReadAll, Subject: portal,
			Baseline: subject,
		},
		{
			Name: "subscribing by the portal's client", Group: group, Figure: CatchUp, Subject: portal,
			Baseline: subject,
		},
	}
}

// only keeps the rows whose name, group or baseline contains the text.
func only(rows []Row, text string) []Row {
	text = strings.ToLower(text)
	return slices.DeleteFunc(rows, func(row Row) bool {
		names := row.Name + "\n" + row.Group
		if row.Baseline != nil {
			names += "\n" + row.Baseline.Name
		}
		return !strings.Contains(strings.ToLower(names), text)
	})
}
