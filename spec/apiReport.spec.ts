import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

/**
 * Types that other public types are built from. A user has no reason to name one, so they are not exported. Whatever else the report
 * misses has to be exported, or marked `@internal` together with the members that name it.
 */
const buildingBlocks = [
  // Of the API of ws.
  'ClientOptions_2',
  'SharedOptions',
  'Upgraded',
  'UpgradeOptions',
  'WebSocketEmitter',
  'WebSocketCloseEvent',
  'WebSocketErrorEvent',
  'WebSocketEvent',
  'WebSocketMessageEvent',
  // Exported by node-websocket-handler/topics.
  'BrokerDriver',
  // Exported by the package itself.
  'AnyWebSocket',
  'BinaryData',
  'BroadcastMessage',
  'WebSocket_3',
  'WriteCallback',
  // Of the package itself.
  'AnyClientOptions',
  'Delivered',
  'DuplexOfMessages',
  'Encodable',
  'errorTable',
  'ExtensionOptions',
  'Fresh',
  'NodeOptions',
  'Nothing',
  'OpeningOptions',
  'Pair',
  'PreparedFrames',
  'WholeMessages',
];

const reports = [
  'api-report.api.md',
  'api-report-ws.api.md',
  'api-report-topics.api.md',
  'api-report-topics-nats.api.md',
  'api-report-topics-redis.api.md',
];

interface Member {
  /** The name of the class or interface, a dot, and the name of the member; for other declarations their own name. */
  readonly name: string;
  readonly line: string;
  readonly undocumented: boolean;
}

const modifiers = /^(?:(?:export|declare|class|interface|type|function|const|static|readonly|protected|get|set) )*/;

function readMembers(report: string): Member[] {
  let owner = '';
  let undocumented = false;
  return report.split('\n').flatMap((line): Member[] => {
    if (/^\s*\/\/.*\(undocumented\)/.test(line)) undocumented = true;
    const own = /^[\w[\].]+/.exec(line.trim().replace(modifiers, ''))?.[0];
    if (/^\s*\/\//.test(line) || own === undefined) return [];
    const inside = line.startsWith(' ');
    if (!inside) owner = own;
    const member = { name: inside ? `${owner}.${own}` : own, line: line.trim(), undocumented };
    undocumented = false;
    return [member];
  });
}

for (const name of reports)
  describe(`docs/${name}`, () => {
    const report = readFileSync(join(__dirname, '../docs', name), 'utf8');
    const members = readMembers(report);

    it('describes every public declaration and member by a docstring; of overloads, the first', () => {
      const seen = new Set<string>();
      const missing = members.filter(({ name, undocumented }) => {
        const overload = seen.has(name);
        seen.add(name);
        // The discriminant of a frame, and the name of an error, say it all.
        return undocumented && !overload && !/\.(?:opcode|name)$/.test(name);
      });
      expect(missing.map(({ name }) => name)).to.deep.equal([]);
    });

    it('has no member whose name starts with an underscore: those are @internal', () => {
      const names = members.map(({ name }) => name);
      expect(names.filter((name) => name.includes('._'))).to.deep.equal([]);
    });

    it('has no protected member', () => {
      expect(members.filter(({ line }) => line.startsWith('protected '))).to.deep.equal([]);
    });

    it('exports every type that a user may have to name', () => {
      const named = [...report.matchAll(/\(ae-forgotten-export\) The symbol "(\w+)"/g)].map(
        ([, name]) => name as string,
      );
      expect([...new Set(named)].filter((name) => !buildingBlocks.includes(name))).to.deep.equal([]);
    });
  });
