/**
 * Returns the name of a topic with only letters, digits, `-`, `_` and `=`, each name another: the other bytes of its UTF-8 are written as
 * `=` and two hexadecimal digits. So no name has a character that separates, or stands for others, in the subjects and keys of brokers.
 */
export function escapeTopic(topic: string): string {
  return /^[\w-]+$/.test(topic)
    ? topic
    : Buffer.from(topic)
        .toString('latin1')
        .replaceAll(/[^\w-]/g, escapeByte);
}

function escapeByte(byte: string): string {
  return `=${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
