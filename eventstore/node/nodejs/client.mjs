// EventStoreDB's official Node.js client against the server that
// PORTAL_EVENTSTORE names. It shares no code with the Go client that the rest
// of the tests speak through.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";

import {
  ANY, BACKWARDS, DeadlineExceededError, END, EventStoreDBClient, FORWARDS, MaxAppendSizeExceededError, NO_STREAM, PARK, PINNED,
  PersistentSubscriptionDoesNotExistError, PersistentSubscriptionDroppedError, PersistentSubscriptionExistsError,
  PersistentSubscriptionMaximumSubscribersReachedError, RETRY, SKIP, START, STREAM_EXISTS,
  StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError,
  binaryEvent, eventTypeFilter, excludeSystemEvents, jsonEvent,
  persistentSubscriptionToAllSettingsFromDefaults, persistentSubscriptionToStreamSettingsFromDefaults, streamNameFilter,
} from "@eventstore/db-client";

const connection = process.env.PORTAL_EVENTSTORE;
assert.ok(connection, "PORTAL_EVENTSTORE names no server");
const client = EventStoreDBClient.connectionString(connection);
after(() => client.dispose());

// No test may hang where the server owes an answer.
const bounded = { timeout: 60_000 };

const category = () => `nodejs${randomUUID().replaceAll("-", "")}`;
const newStream = () => `nodejs-${randomUUID()}`;
const happened = (n, type = "Happened") => jsonEvent({ id: randomUUID(), type, data: { n }, metadata: { by: "nodejs" } });
const several = (n) => Array.from({ length: n }, (_, i) => happened(i));
const ids = (events) => events.map((e) => e.id);

async function collect(reading) {
  const read = [];
  for await (const { event } of reading) read.push(event);
  return read;
}

// take receives until n events have come, then leaves the subscription.
async function take(subscription, n) {
  const received = [];
  for await (const { event } of subscription) {
    received.push(event);
    if (received.length === n) break;
  }
  await subscription.unsubscribe();
  return received;
}

async function existing(n) {
  const stream = newStream();
  const events = several(n);
  const result = await client.appendToStream(stream, events, { expectedRevision: NO_STREAM });
  return { stream, events, result };
}

// Where the server advertises it, the client appends in batches: all its appends
// share one call. With credentials of its own an append has a call of its own.
const ways = [["in batches", {}], ["one by one", { credentials: { username: "portal", password: "unasked" } }]];

test("the client appends in batches here", bounded, async () => {
  const features = await client.capabilities;
  assert.ok(features.supports({ path: "/event_store.client.streams.Streams/BatchAppend" }));
});

for (const [way, options] of ways) {
  const append = async (stream, events, expectedRevision) => client.appendToStream(stream, events, { expectedRevision, ...options });

  test(`append answers with revision and position, ${way}`, bounded, async () => {
    const stream = newStream();
    const result = await append(stream, several(3), NO_STREAM);
    assert.equal(result.success, true);
    assert.equal(result.nextExpectedRevision, 2n);
    const [last] = await collect(client.readStream(stream, { direction: BACKWARDS, fromRevision: END, maxCount: 1 }));
    assert.deepEqual(last.position, result.position);
  });

  test(`a repeated append gets the first answer and adds nothing, ${way}`, bounded, async () => {
    const stream = newStream();
    const events = several(3);
    const result = await append(stream, events, NO_STREAM);
    assert.deepEqual(await append(stream, events, NO_STREAM), result);
    assert.deepEqual(ids(await collect(client.readStream(stream))), ids(events));
  });

  test(`a wrong expected revision is told with both revisions, ${way}`, bounded, async () => {
    const { stream } = await existing(2);
    const refused = async (append, expected, actual) => assert.rejects(append, (error) => {
      assert.ok(error instanceof WrongExpectedVersionError, String(error));
      assert.equal(error.streamName, stream);
      assert.equal(error.expectedVersion, expected);
      assert.equal(error.actualVersion, actual);
      return true;
    });
    await refused(append(stream, happened(9), NO_STREAM), NO_STREAM, 1n);
    await refused(append(stream, happened(9), 5n), 5n, 1n);
  });

  test(`streams that must be there, ${way}`, bounded, async () => {
    await assert.rejects(append(newStream(), happened(0), STREAM_EXISTS), (error) => {
      assert.ok(error instanceof WrongExpectedVersionError, String(error));
      assert.equal(error.expectedVersion, STREAM_EXISTS);
      assert.equal(error.actualVersion, NO_STREAM);
      return true;
    });
    const ended = (await existing(1)).stream;
    await client.tombstoneStream(ended);
    await assert.rejects(append(ended, happened(0), ANY), (error) => {
      assert.ok(error instanceof StreamDeletedError, String(error));
      assert.equal(error.streamName, ended);
      return true;
    });
  });

  test(`an append above the limit is told as such, ${way}`, bounded, async () => {
    const large = binaryEvent({ type: "Scanned", data: new Uint8Array(1_100_000) });
    await assert.rejects(append(newStream(), large, ANY), (error) => {
      assert.ok(error instanceof MaxAppendSizeExceededError, String(error));
      assert.equal(error.maxAppendSize, 1024 * 1024);
      return true;
    });
  });
}

test("many appends to one stream without waiting for any", bounded, async () => {
  const stream = newStream();
  const events = several(400);
  const results = await Promise.all(events.map((event, n) =>
    client.appendToStream(stream, event, { expectedRevision: n === 0 ? NO_STREAM : BigInt(n - 1) })));
  assert.deepEqual(results.map((r) => r.nextExpectedRevision), events.map((_, n) => BigInt(n)));
  assert.deepEqual(ids(await collect(client.readStream(stream))), ids(events));
});

test("an append that is sent in many parts", bounded, async () => {
  const stream = newStream();
  const events = several(300);
  const other = existing(2);
  const result = await client.appendToStream(stream, events, { expectedRevision: NO_STREAM, batchAppendSize: 1000 });
  assert.equal(result.nextExpectedRevision, 299n);
  assert.deepEqual(ids(await collect(client.readStream(stream))), ids(events));
  await other;
});

test("an append whose deadline has passed is told as such", bounded, async () => {
  const stream = newStream();
  await assert.rejects(client.appendToStream(stream, happened(0), { deadline: -1000 }), DeadlineExceededError);
  await assert.rejects(collect(client.readStream(stream)), StreamNotFoundError);
});

test("events come back as they were given", bounded, async () => {
  const stream = newStream();
  const json = jsonEvent({ id: randomUUID(), type: "QuoteApproved", data: { amount: "12.50", name: "请求" }, metadata: { $correlationId: "c" } });
  const binary = binaryEvent({ id: randomUUID(), type: "Scanned", data: Uint8Array.from([0, 1, 254, 255]), metadata: Uint8Array.from([7]) });
  await client.appendToStream(stream, [json, binary], { expectedRevision: NO_STREAM });
  const [first, second] = await collect(client.readStream(stream));
  assert.equal(first.streamId, stream);
  assert.equal(first.id, json.id);
  assert.equal(first.type, "QuoteApproved");
  assert.equal(first.revision, 0n);
  assert.equal(first.isJson, true);
  assert.deepEqual(first.data, json.data);
  assert.deepEqual(first.metadata, json.metadata);
  assert.ok(first.created instanceof Date && first.created.getUTCFullYear() >= 2020, `created ${first.created}`);
  assert.equal(second.isJson, false);
  assert.deepEqual([...second.data], [0, 1, 254, 255]);
});

test("a stream is read both ways, from anywhere", bounded, async () => {
  const { stream, events } = await existing(100);
  assert.deepEqual(ids(await collect(client.readStream(stream, { direction: FORWARDS, fromRevision: START }))), ids(events));
  assert.deepEqual(ids(await collect(client.readStream(stream, { direction: BACKWARDS, fromRevision: END }))), ids(events).reverse());
  assert.deepEqual(ids(await collect(client.readStream(stream, { fromRevision: 40n, maxCount: 3 }))), ids(events.slice(40, 43)));
  assert.deepEqual(
    ids(await collect(client.readStream(stream, { direction: BACKWARDS, fromRevision: 2n, maxCount: 10 }))),
    ids(events.slice(0, 3)).reverse(),
  );
});

test("$all is read both ways, from a position", bounded, async () => {
  const { stream, result: from } = await existing(1);
  const { events, result: to } = await existing(4);
  const forwards = await collect(client.readAll({ direction: FORWARDS, fromPosition: from.position, maxCount: 1 }));
  assert.equal(forwards[0].streamId, stream);
  assert.deepEqual(forwards[0].position, from.position);
  const backwards = await collect(client.readAll({ direction: BACKWARDS, fromPosition: to.position, maxCount: 3 }));
  assert.deepEqual(ids(backwards), ids(events.slice(0, 3)).reverse());
});

test("streams that are not there, hidden or ended", bounded, async () => {
  await assert.rejects(collect(client.readStream(newStream())), StreamNotFoundError);

  const hidden = (await existing(2)).stream;
  await client.deleteStream(hidden, { expectedRevision: 1n });
  await assert.rejects(collect(client.readStream(hidden)), StreamNotFoundError);
  const revived = await client.appendToStream(hidden, happened(0));
  assert.equal(revived.nextExpectedRevision, 2n);

  const ended = (await existing(2)).stream;
  await assert.rejects(client.deleteStream(ended, { expectedRevision: 7n }), WrongExpectedVersionError);
  await client.tombstoneStream(ended, { expectedRevision: 1n });
  await assert.rejects(collect(client.readStream(ended)), StreamDeletedError);
  await assert.rejects(client.appendToStream(ended, happened(0)), StreamDeletedError);
});

test("metadata bound what a stream shows", bounded, async () => {
  const { stream, events } = await existing(5);
  await client.setStreamMetadata(stream, { maxCount: 2 });
  assert.deepEqual(ids(await collect(client.readStream(stream))), ids(events.slice(3)));
  const { metadata } = await client.getStreamMetadata(stream);
  assert.equal(metadata.maxCount, 2);
});

test("a subscription to a stream gets history and what is new", bounded, async () => {
  const { stream, events } = await existing(3);
  const fresh = several(3);
  const subscription = client.subscribeToStream(stream, { fromRevision: START });
  subscription.once("caughtUp", () => client.appendToStream(stream, fresh).catch((error) => subscription.emit("error", error)));
  const received = await take(subscription, 6);
  assert.deepEqual(ids(received), ids([...events, ...fresh]));
  assert.deepEqual(received.map((e) => e.revision), [0n, 1n, 2n, 3n, 4n, 5n]);
});

test("a subscription from a revision gets what is after it", bounded, async () => {
  const { stream, events } = await existing(5);
  const received = await take(client.subscribeToStream(stream, { fromRevision: 2n }), 2);
  assert.deepEqual(ids(received), ids(events.slice(3)));
});

test("a subscription to $all filtered by stream, with checkpoints", bounded, async () => {
  const prefix = category();
  const { result: from } = await existing(1);
  const old = several(2);
  await client.appendToStream(`${prefix}-a`, old);
  await existing(60); // does not match
  const fresh = several(2);
  const checkpoints = [];
  const subscription = client.subscribeToAll({
    fromPosition: from.position,
    filter: streamNameFilter({
      prefixes: [`${prefix}-`], maxSearchWindow: 4, checkpointInterval: 2,
      checkpointReached: (_, position) => { checkpoints.push(position); },
    }),
  });
  subscription.once("caughtUp", () => client.appendToStream(`${prefix}-b`, fresh).catch((error) => subscription.emit("error", error)));
  const received = await take(subscription, 4);
  assert.deepEqual(ids(received), ids([...old, ...fresh]));
  assert.ok(checkpoints.length >= 4, `${checkpoints.length} checkpoints over 60 events`);
  for (let i = 1; i < checkpoints.length; i++) {
    assert.ok(checkpoints[i - 1].commit < checkpoints[i].commit, "checkpoints rise");
  }

  // Whoever resumes from a checkpoint misses nothing that came later.
  const resumed = await take(client.subscribeToAll({
    fromPosition: checkpoints[2],
    filter: streamNameFilter({ regex: `^${prefix}-[ab]$` }),
  }), 2);
  assert.deepEqual(ids(resumed), ids(fresh));
});

test("a subscription to $all filtered by type", bounded, async () => {
  const type = category();
  const { result: from } = await existing(1);
  const wanted = [happened(0, `${type}Opened`), happened(1, `${type}Closed`)];
  await client.appendToStream(newStream(), [happened(2), wanted[0], happened(3), wanted[1]]);
  const received = await take(client.subscribeToAll({ fromPosition: from.position, filter: eventTypeFilter({ prefixes: [type] }) }), 2);
  assert.deepEqual(ids(received), ids(wanted));
});

test("a subscription to $all without system events", bounded, async () => {
  const { stream, result: from } = await existing(1);
  await client.setStreamMetadata(stream, { maxCount: 9 });
  const { events } = await existing(2);
  const received = await take(client.subscribeToAll({ fromPosition: from.position, filter: excludeSystemEvents() }), 2);
  assert.deepEqual(ids(received), ids(events));
});

const fromStart = (changes) => persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...changes });

async function group(stream, changes) {
  const name = `group-${randomUUID()}`;
  await client.createPersistentSubscriptionToStream(stream, name, fromStart(changes));
  return name;
}

test("a persistent subscription delivers, retries, skips, parks and replays", bounded, async () => {
  const { stream, events } = await existing(4);
  const name = await group(stream);
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, name, { bufferSize: 1 });
  const handled = [];
  const actions = [
    async (e) => { await subscription.nack(RETRY, "later", e); },
    async (e) => { assert.equal(e.retryCount, 1); await subscription.ack(e); },
    async (e) => { await subscription.nack(SKIP, "never", e); },
    async (e) => { await subscription.nack(PARK, "poison", e); },
    async (e) => {
      await subscription.ack(e);
      while ((await client.getPersistentSubscriptionToStreamInfo(stream, name)).stats.parkedMessageCount !== 1n);
      await client.replayParkedMessagesToStream(stream, name);
    },
    async (e) => {
      assert.equal(e.link.streamId, `$persistentsubscription-${stream}::${name}-parked`);
      await subscription.ack(e);
    },
  ];
  for await (const e of subscription) {
    handled.push(e.event.id);
    await actions[handled.length - 1](e);
    if (handled.length === actions.length) break;
  }
  const [a, b, c, d] = ids(events);
  assert.deepEqual(handled, [a, a, b, c, d, c]);
  await subscription.unsubscribe();
  await client.deletePersistentSubscriptionToStream(stream, name);
  await assert.rejects(client.getPersistentSubscriptionToStreamInfo(stream, name), PersistentSubscriptionDoesNotExistError);
});

test("consumers of a persistent subscription share its events", bounded, async () => {
  const { stream, events } = await existing(40);
  const name = await group(stream);
  const seen = [];
  const consumers = Array.from({ length: 4 }, () => client.subscribeToPersistentSubscriptionToStream(stream, name, { bufferSize: 2 }));
  await new Promise((resolve, reject) => {
    for (const subscription of consumers) {
      subscription.on("error", reject);
      subscription.on("data", (e) => {
        seen.push(e.event.id);
        subscription.ack(e).catch(reject);
        if (seen.length === events.length) resolve();
      });
    }
  });
  await Promise.all(consumers.map((subscription) => subscription.unsubscribe()));
  assert.deepEqual(seen.sort(), ids(events).sort());
});

test("a persistent subscription to $all with a filter", bounded, async () => {
  const prefix = category();
  const { result: from } = await existing(1);
  const name = `group-${randomUUID()}`;
  await client.createPersistentSubscriptionToAll(name,
    persistentSubscriptionToAllSettingsFromDefaults({ startFrom: from.position, consumerStrategyName: PINNED }),
    { filter: streamNameFilter({ prefixes: [`${prefix}-`] }) });
  await existing(30); // does not match
  const wanted = several(3);
  await client.appendToStream(`${prefix}-a`, wanted);
  const subscription = client.subscribeToPersistentSubscriptionToAll(name);
  const received = [];
  for await (const e of subscription) {
    received.push(e.event.id);
    await subscription.ack(e);
    if (received.length === wanted.length) break;
  }
  assert.deepEqual(received, ids(wanted));
  const info = await client.getPersistentSubscriptionToAllInfo(name);
  assert.deepEqual(info.settings.startFrom, from.position);
  assert.equal(info.settings.consumerStrategyName, PINNED);
  assert.ok((await client.listPersistentSubscriptionsToAll()).some((i) => i.groupName === name));
  await client.deletePersistentSubscriptionToAll(name);
});

test("what a persistent subscription refuses is told as such", bounded, async () => {
  const { stream } = await existing(1);
  const name = await group(stream, { maxSubscriberCount: 1 });
  await assert.rejects(client.createPersistentSubscriptionToStream(stream, name, fromStart()), PersistentSubscriptionExistsError);
  const only = client.subscribeToPersistentSubscriptionToStream(stream, name);
  await new Promise((resolve, reject) => { only.once("confirmation", resolve); only.once("error", reject); });
  const refused = async (subscription, type) => {
    await assert.rejects(async () => { for await (const _ of subscription); }, type);
  };
  await refused(client.subscribeToPersistentSubscriptionToStream(stream, name), PersistentSubscriptionMaximumSubscribersReachedError);
  await refused(client.subscribeToPersistentSubscriptionToStream(stream, "nobody"), PersistentSubscriptionDoesNotExistError);
  const dropped = refused(only, PersistentSubscriptionDroppedError);
  await client.updatePersistentSubscriptionToStream(stream, name, fromStart({ messageTimeout: 7000 }));
  await dropped;
  const info = await client.getPersistentSubscriptionToStreamInfo(stream, name);
  assert.equal(info.settings.messageTimeout, 7000);
  assert.equal(info.settings.startFrom, START);
});
