// Appends to Emmett's event store in closed loops and prints the figures as
// JSON. The arguments come from emmett.go.
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const [url, payloadFile, writers, warmup, window, eventsPerStream, category, type] =
  process.argv.slice(2).map((arg) => (/^\d+$/.test(arg) ? Number(arg) : arg));
const payloads = JSON.parse(readFileSync(payloadFile, 'utf8'));

const pool = new pg.Pool({ connectionString: url, max: writers });
const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
await store.schema.migrate();
await connectAll();

const begin = performance.now() + warmup;
const end = begin + window;
const latencies = (await Promise.all(Array.from({ length: writers }, loop))).flat();
await pool.end();

if (latencies.length === 0) throw new Error('nothing finished within the window');
latencies.sort((a, b) => a - b);
console.log(JSON.stringify({
  rate: latencies.length / (window / 1000),
  p50: percentile(latencies, 50),
  p99: percentile(latencies, 99),
}));

// Opening the connections is no part of the measurement.
async function connectAll() {
  const clients = await Promise.all(Array.from({ length: writers }, () => pool.connect()));
  for (const client of clients) client.release();
}

async function loop(_, writer) {
  const latencies = [];
  for (let n = 0; ; ) {
    const stream = `${category}-${randomUUID()}`;
    let expectedStreamVersion = STREAM_DOES_NOT_EXIST;
    for (let revision = 0; revision < eventsPerStream; revision++, n++) {
      const { data, metadata } = payloads[(writer + n) % payloads.length];
      const started = performance.now();
      const result = await store.appendToStream(stream, [{ type, data, metadata }], { expectedStreamVersion });
      const finished = performance.now();
      if (finished > end) return latencies;
      if (finished >= begin) latencies.push(finished - started);
      expectedStreamVersion = result.nextExpectedStreamVersion;
    }
  }
}

// Nearest rank, as in stats.go.
function percentile(sorted, p) {
  return sorted[Math.max(Math.ceil((p / 100) * sorted.length), 1) - 1];
}
