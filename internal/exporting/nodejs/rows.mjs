// Prints the columns and the rows of Parquet files as JSON Lines: for each file
// its schema, then its rows. Times are numbers of the file's own unit, and
// integers are texts, since numbers of JavaScript do not hold them all.
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';

const parsers = {
  timestampFromMicroseconds: (n) => `${n}`,
  timestampFromNanoseconds: (n) => `${n}`,
  dateFromDays: (n) => new Date(n * 86_400_000).toISOString().slice(0, 10),
};
const print = (value) => console.log(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v)));

for (const path of process.argv.slice(2)) {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  print({
    columns: metadata.schema.slice(1).map(({ name, type, logical_type }) => ({ name, type, logical: logical_type ?? null })),
    groups: metadata.row_groups.map((g) => Number(g.num_rows)),
  });
  const rows = await parquetReadObjects({ file, metadata, parsers });
  for (const row of rows) print(row);
}
