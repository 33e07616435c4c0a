import assert from 'node:assert/strict';
import type { ChangeFeed, ChangesRead } from '../change-feed.js';
import { testGlobals, type TestGlobals } from './globals.js';

export interface ChangeFeedSuiteOptions {
  readonly globals?: TestGlobals;
}

/** A writer and a reader of one log; two instances where other processes can read it too. */
export interface FeedPair {
  readonly writer: ChangeFeed;
  readonly reader: ChangeFeed;
}

/** Every claim of {@link ChangeFeed}, for any implementation. The log may hold older changes; the feeds are closed. */
export function changeFeedSuite(
  name: string,
  makeFeeds: () => FeedPair | Promise<FeedPair>,
  options: ChangeFeedSuiteOptions = {},
): void {
  const { describe, test } = testGlobals(options.globals);
  const change = (subject: string) => ({ topic: 'conformance', subject });
  const subjectsOf = (read: ChangesRead) => read.changes.map((one) => one.subject);

  describe(`ChangeFeed: ${name}`, () => {
    function claim(title: string, body: (pair: FeedPair) => Promise<void>): void {
      test(title, async () => {
        const pair = await makeFeeds();
        try {
          await body(pair);
        } finally {
          await pair.writer.close();
          await pair.reader.close();
        }
      });
    }

    claim(
      'a reader gets what was published after its position, once and in order',
      async ({ writer, reader }) => {
        const start = await reader.readSince(undefined);
        assert.equal(start.changes.length, 0);
        assert.equal(start.reset, false);
        const first = await writer.publish([change('u1'), change('u2')]);
        const second = await writer.publish([change('u1')]);
        assert.ok(start.revision < first && first < second);
        const read = await reader.readSince(start.revision);
        assert.equal(read.reset, false);
        assert.equal(read.revision, second);
        assert.deepEqual(subjectsOf(read), ['u1', 'u2', 'u1']);
        assert.deepEqual(
          read.changes.map((one) => one.revision),
          [first, first, second],
        );
        assert.equal((await reader.readSince(second)).changes.length, 0);
        assert.deepEqual(subjectsOf(await reader.readSince(first)), ['u1']);
      },
    );

    claim('a reader misses nothing of many publishers at once', async ({ writer, reader }) => {
      let { revision } = await reader.readSince(undefined);
      const seen: string[] = [];
      const publishing = Promise.all(
        Array.from({ length: 40 }, (_, i) => (i % 2 ? writer : reader).publish([change(`s${i}`)])),
      );
      let published = false;
      void publishing.then(() => (published = true));
      for (let last = false; !last;) {
        last = published;
        const read = await reader.readSince(revision);
        assert.equal(read.reset, false);
        assert.ok(read.revision >= revision);
        seen.push(...subjectsOf(read));
        revision = read.revision;
      }
      assert.equal(new Set(await publishing).size, 40);
      assert.deepEqual(seen.sort(), Array.from({ length: 40 }, (_, i) => `s${i}`).sort());
    });

    claim(
      'a position ahead of the log, as after a rollback, is a reset, and one reset is enough',
      async (pair) => {
        const { revision } = await pair.reader.readSince(undefined);
        const read = await pair.reader.readSince(revision + 5);
        assert.equal(read.reset, true);
        const published = await pair.writer.publish([change('after')]);
        const next = await pair.reader.readSince(read.revision);
        assert.equal(next.reset, false);
        assert.equal(next.revision, published);
        assert.deepEqual(subjectsOf(next), ['after']);
      },
    );

    claim('a publish wakes readers up', async ({ writer, reader }) => {
      let stop!: () => void;
      const woken = new Promise<boolean>((resolve) => {
        stop = reader.onHint(() => resolve(true));
        setTimeout(() => resolve(false), 4000).unref();
      });
      // A hint may be lost while the subscription is being made.
      const again = setInterval(() => void writer.publish([change('hint')]).catch(() => undefined), 100);
      try {
        assert.ok(await woken, 'no hint within 4 s');
      } finally {
        clearInterval(again);
        stop();
      }
    });

    claim('a synchronous feed has delivered when publish resolves', async ({ writer, reader }) => {
      if (!reader.synchronous) return;
      const delivered: string[] = [];
      const stop = reader.onChange((read) => void delivered.push(...subjectsOf(read)));
      await writer.publish([change('now')]);
      assert.deepEqual(delivered, ['now']);
      stop();
      await writer.publish([change('later')]);
      assert.deepEqual(delivered, ['now']);
    });

    claim('changes without a proper topic or subject are mistakes of the program', async ({ writer }) => {
      for (const wrong of [
        { topic: 'No Topic', subject: 'x' },
        change(''),
        change('a\0b'),
        change('x'.repeat(513)),
      ]) {
        await assert.rejects(writer.publish([wrong]), { name: 'TypeError' });
      }
    });

    claim('publishing nothing answers the current revision', async ({ writer, reader }) => {
      const { revision } = await reader.readSince(undefined);
      assert.equal(await writer.publish([]), revision);
    });
  });
}
