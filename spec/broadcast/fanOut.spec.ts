import { expect } from 'chai';
import { FanOut } from '../../lib/broadcast/fanOut';
import { PreparedMessage } from '../../lib/webSocketHandler';
import { numberOf, range, testMember, until } from '../support/topicMembers';

const kilobyte = 'x'.repeat(1024);

describe("FanOut, with the policy 'catch-up'", () => {
  it('tells the last message that a member that has fallen behind was given, once it has sent it', async () => {
    const { ws, read, has, client } = testMember({ reads: false });
    const last: unknown[] = [];
    const fanOut: FanOut = new FanOut(
      { remove: (webSocket) => fanOut.delete(webSocket), fellBehind: (_, message) => last.push(message) },
      { policy: 'catch-up', limit: 3 },
    );
    fanOut.add(ws);
    let i = 0;
    for (; !fanOut.isBehind(ws); i++) fanOut.deliver(fanOut.entry(i, new PreparedMessage(`${i} ${kilobyte}`)));
    const { sent = 0, waiting, dropped } = fanOut.counts(ws) ?? {};
    expect([waiting, dropped, sent]).to.deep.equal([0, 0, i - 4]);
    expect(last).to.deep.equal([]);
    // It gets nothing more, however much is delivered, until it is added again.
    for (; i < 1000; i++) fanOut.deliver(fanOut.entry(i, new PreparedMessage(`${i} ${kilobyte}`)));
    read();
    await until(() => last.length > 0);
    expect(last).to.deep.equal([sent - 1]);
    fanOut.delete(ws);
    fanOut.add(ws);
    fanOut.deliver(fanOut.entry('last', new PreparedMessage('1000')));
    expect((await has(sent + 1)).map(numberOf)).to.deep.equal([...range(0, sent), 1000]);
    client.abort();
  });
});
