import { expect } from 'chai';
import { FanOut } from '../../lib/broadcast/fanOut';
import { PreparedMessage } from '../../lib/webSocketHandler';
import { numberOf, range, testMember, until } from '../support/topicMembers';

const kilobyte = 'x'.repeat(1024);

describe("FanOut, with the policy 'catch-up'", () => {
  it('tells the first message that a member has not been given, once it has sent all that it was given', async () => {
    const { ws, read, has, client } = testMember({ reads: false });
    const missed: unknown[] = [];
    const fanOut: FanOut = new FanOut(
      { remove: (webSocket) => fanOut.delete(webSocket), fellBehind: (_, message) => missed.push(message) },
      { policy: 'catch-up', limit: 3 },
    );
    fanOut.add(ws);
    let i = 0;
    for (; !fanOut.isBehind(ws); i++) fanOut.deliver(fanOut.entry(i, new PreparedMessage(`${i} ${kilobyte}`)));
    const { sent = 0, waiting, dropped } = fanOut.counts(ws) ?? {};
    expect([waiting, dropped, sent]).to.deep.equal([0, 0, i - 4]);
    expect(missed).to.deep.equal([]);
    // It gets nothing more, however much is delivered, until it is added again.
    for (; i < 1000; i++) fanOut.deliver(fanOut.entry(i, new PreparedMessage(`${i} ${kilobyte}`)));
    read();
    await until(() => missed.length > 0);
    expect(missed).to.deep.equal([sent]);
    fanOut.delete(ws);
    fanOut.add(ws);
    fanOut.deliver(fanOut.entry('last', new PreparedMessage('1000')));
    expect((await has(sent + 1)).map(numberOf)).to.deep.equal([...range(0, sent), 1000]);
    client.abort();
  });
});
