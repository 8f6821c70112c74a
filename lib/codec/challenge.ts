import { createHash, randomBytes, randomInt } from 'node:crypto';

/** Bytes of the challenge, which the client sends after the headers of its request (hixie-76 §4.1). */
export const challengeSize = 8;

/** Bytes of the server's reply to the challenge. */
export const replySize = 16;

const largestNumber = 0xffffffff;

/**
 * Returns the number in a `Sec-WebSocket-Key1` or `-Key2`: its digits, divided by the count of its spaces
 * (hixie-76 §5.2). Undefined for an invalid key.
 */
export function keyNumber(key: string): number | undefined {
  const digits = key.replace(/[^0-9]/g, '');
  const spaces = key.split(' ').length - 1;
  // A valid key has up to ten digits; a JavaScript number holds them exactly.
  if (digits === '' || digits.length > 10 || spaces === 0) return undefined;
  const number = Number(digits) / spaces;
  return Number.isInteger(number) && number <= largestNumber ? number : undefined;
}

/** Returns the reply to a challenge: the MD5 of both numbers and the eight bytes (hixie-76 §5.2). */
export function challengeReply(first: number, second: number, bytes: Uint8Array): Buffer {
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(first, 0);
  numbers.writeUInt32BE(second, 4);
  return createHash('md5').update(numbers).update(bytes).digest();
}

/** Makes a client's key, and returns it with the number in it (hixie-76 §4.1, items 16 to 22). */
export function createKey(): { readonly key: string; readonly number: number } {
  const spaces = randomInt(1, 13);
  const number = randomInt(0, Math.floor(largestNumber / spaces) + 1);
  const characters = [...String(number * spaces)];
  for (let count = randomInt(1, 13); count > 0; count--)
    insert(characters, randomInt(0, characters.length + 1), randomCharacter());
  // Spaces are not inserted at the ends, where the parser of a header would remove them.
  for (let count = spaces; count > 0; count--) insert(characters, randomInt(1, characters.length), ' ');
  return { key: characters.join(''), number };
}

/** Makes the eight random bytes that the client sends after the headers of its request. */
export function createChallenge(): Buffer {
  return randomBytes(challengeSize);
}

function insert(characters: string[], at: number, character: string): void {
  characters.splice(at, 0, character);
}

/** Returns a random character that is neither a digit nor a space: U+0021 to U+002F or U+003A to U+007E. */
function randomCharacter(): string {
  const index = randomInt(0, 15 + 69);
  return String.fromCharCode(index < 15 ? 0x21 + index : 0x3a + index - 15);
}
