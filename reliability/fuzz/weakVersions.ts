/**
 * Marks versions of symbols as weak in a shared library for Linux: the loader then does not refuse the library on a system whose own libraries
 * lack these versions, and takes the symbols from wherever they are.
 */

/** The type of the section that names the versions that a library needs: SHT_GNU_verneed. */
const versionsNeeded = 0x6ffffffe;

/** VER_FLG_WEAK. */
const weak = 2;

interface Section {
  readonly type: number;
  readonly offset: number;
  /** The index of the section that has the names. */
  readonly link: number;
}

function sectionsOf(library: Buffer): Section[] {
  if (library.toString('latin1', 0, 4) !== '\x7fELF' || library[4] !== 2 || library[5] !== 1)
    throw new Error('not a library for 64 bits, little-endian');
  const table = Number(library.readBigUInt64LE(0x28));
  const size = library.readUInt16LE(0x3a);
  const count = library.readUInt16LE(0x3c);
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    return {
      type: library.readUInt32LE(at + 4),
      offset: Number(library.readBigUInt64LE(at + 0x18)),
      link: library.readUInt32LE(at + 0x28),
    };
  });
}

function nameAt(library: Buffer, offset: number): string {
  return library.toString('latin1', offset, library.indexOf(0, offset));
}

/** @returns a copy in which the versions are weak */
export function withWeakVersions(library: Buffer, versions: ReadonlySet<string>): Buffer {
  const copy = Buffer.from(library);
  const sections = sectionsOf(copy);
  const needed = sections.find(({ type }) => type === versionsNeeded);
  const names = needed && sections[needed.link];
  if (needed === undefined || names === undefined) throw new Error('the library needs no versions');
  // A list of libraries, each with a list of versions; an entry has the distance to the next one, 0 in the last one.
  for (let file = needed.offset, nextFile = -1; nextFile !== 0; file += nextFile) {
    nextFile = copy.readUInt32LE(file + 12);
    let version = file + copy.readUInt32LE(file + 8);
    for (let next = -1; next !== 0; version += next) {
      next = copy.readUInt32LE(version + 12);
      const name = nameAt(copy, names.offset + copy.readUInt32LE(version + 8));
      if (versions.has(name)) copy.writeUInt16LE(copy.readUInt16LE(version + 4) | weak, version + 4);
    }
  }
  return copy;
}
