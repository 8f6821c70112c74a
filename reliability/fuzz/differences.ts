import type { Reading } from './readAll';

/** A kind of difference to `ws`, and why there is one. docs/reliability.md has this table. */
export interface Difference {
  readonly name: string;
  readonly why: string;
  /** @param openBlock the number of compressed messages up to the first one that ends inside a block */
  readonly holds: (ours: Reading, theirs: Reading, compression: boolean, openBlock: number) => boolean;
}

const refused = (code: string) => (ours: Reading) => ours.refusal?.startsWith(`${code} `) === true;

/** Whether we have delivered no more than they: we refuse the bytes earlier, or at all. */
const earlier = (ours: Reading, theirs: Reading) =>
  ours.items.length <= theirs.items.length && ours.items.every((item, i) => item === theirs.items[i]);

const stricter = (code: string) => (ours: Reading, theirs: Reading) => refused(code)(ours) && earlier(ours, theirs);

export const differences: readonly Difference[] = [
  {
    name: 'a text that is not UTF-8',
    why: 'We refuse it at the first byte that is wrong (RFC 6455 §8.1 allows both), `ws` at the end of the message.',
    holds: stricter('WS_ERR_INVALID_UTF8'),
  },
  {
    name: 'a length in a longer form than needed',
    why: 'RFC 6455 §5.2: "the minimal number of bytes MUST be used". `ws` accepts the longer form.',
    holds: stricter('WS_ERR_INVALID_LENGTH'),
  },
  {
    name: 'a fragment whose compression is corrupt, before another fault',
    why: '`ws` decompresses each fragment when it has come, we the whole message at its end (parts of it with `messages: "stream"`). So control frames between its fragments, and another fault, come before.',
    holds: ({ items, refusal }, theirs) =>
      /^Z_\w+ /.test(theirs.refusal ?? '') &&
      refusal !== undefined &&
      theirs.items.every((item, i) => item === items[i]) &&
      items.slice(theirs.items.length).every((item) => /^(?:ping|pong|close) /.test(item)),
  },
  {
    name: 'bytes behind a final block (BFINAL) of a message',
    why: 'A block may follow it (RFC 7692 §7.2.3.4), so we decompress them, and refuse them if they are none. `ws` drops them.',
    holds: (ours, theirs, compression) => {
      const at = theirs.items.findIndex((item, i) => item !== ours.items[i]);
      const [mine, other] = [ours.items[at], theirs.items[at]];
      if (!compression || other === undefined) return false;
      if (mine !== undefined) return mine.startsWith(other);
      return /^WS_ERR_(?:INVALID_COMPRESSION|INVALID_UTF8|MESSAGE_TOO_BIG) /.test(ours.refusal ?? '');
    },
  },
  {
    name: 'after a compressed message of no bytes',
    why: 'Some senders compress an empty message to nothing. The tail that is added to it is half of a block header, whose other half `ws` reads from the next message.',
    holds: ({ items }, theirs, compression) => {
      const at = items.findIndex((item, i) => item !== theirs.items[i]);
      const before = at === -1 ? items : items.slice(0, at + 1);
      return compression && before.some((item) => item === 'binary ' || item === 'text ');
    },
  },
  {
    name: 'after a compressed message that ends inside a block',
    why: 'A sender must end with a whole one (RFC 7692 §7.2.1). The next message continues the block or begins a new one, depending on whether the engine was kept. `ws` keeps it.',
    holds: ({ items }, theirs, _compression, openBlock) => {
      const same = items.findIndex((item, i) => item !== theirs.items[i]);
      return (same === -1 ? items.length : same) >= openBlock;
    },
  },
  {
    name: 'a compressed message whose compressed size is above `maxMessageSize` by at most 64 bytes and 0.1 %',
    why: 'The limit is for the decompressed size, and bytes that cannot be compressed grow. `ws` counts the compressed size, too.',
    holds: ({ items }, theirs, compression) =>
      compression &&
      /^WS_ERR_UNSUPPORTED_MESSAGE_LENGTH /.test(theirs.refusal ?? '') &&
      theirs.items.every((item, i) => item === items[i]),
  },
  {
    name: 'bytes that end inside a frame or a message',
    why: 'Our reader says so when the byte stream ends; the receiver of `ws` is not told of the end.',
    holds: (ours, theirs) => refused('WS_ERR_TRUNCATED')(ours) && theirs.refusal === undefined && earlier(ours, theirs),
  },
];
