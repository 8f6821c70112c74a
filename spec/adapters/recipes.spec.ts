import * as streams from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import split2 from 'split2';
import { createPair, type Message } from '../../lib/webSocketHandler';
import { runRecipe } from '../support/recipes';

/** `compose()` is not in the types of Node 20. */
const names = { Transform, compose: (streams as unknown as { compose: unknown }).compose, pipeline, split2 };

const normal = { code: 1000, reason: '', wasClean: true };

describe('docs/recipes.md', () => {
  for (const [index, how] of ['through a pipeline', 'by a composed stream of objects'].entries()) {
    it(`JSON, ${how}: answers objects, and closes cleanly`, async () => {
      const [ws, peer] = createPair();
      const running = runRecipe('JSON', index, { ...names, ws });
      const answers = peer.map((message: Message) => JSON.parse(String(message))).toArray();
      peer.write(JSON.stringify({ id: 1, text: 'one' }));
      peer.end(Buffer.from(JSON.stringify({ id: 2, text: 'grün' })));
      expect(await answers).to.deep.equal([
        { id: 1, answer: 'ONE' },
        { id: 2, answer: 'GRÜN' },
      ]);
      expect(await peer.whenClosed()).to.deep.equal(normal);
      await running;
    });
  }

  it('JSON: what is no JSON closes with 1011', async () => {
    const [ws, peer] = createPair();
    const failure = runRecipe('JSON', 0, { ...names, ws }).catch((error: Error) => error);
    peer.on('error', () => {}).resume();
    peer.write('{');
    expect((await peer.whenClosed()).code).to.equal(1011);
    expect(await failure).to.be.instanceOf(SyntaxError);
  });

  it('lines are read, however they are cut', async () => {
    const [ws, peer] = createPair();
    const lines: string[] = [];
    peer.write('one\ntw');
    peer.write(Buffer.from('o\r\nthr'));
    peer.resume().end('ee');
    await runRecipe('Lines', 0, { ...names, ws, lines });
    expect(lines).to.deep.equal(['one', 'two', 'three']);
  });

  it('lines are answered', async () => {
    const [ws, peer] = createPair();
    const running = runRecipe('Lines', 1, { ...names, ws });
    const answers = peer.toArray();
    peer.write('one\ntw');
    peer.end('o');
    expect(await answers).to.deep.equal(['ONE\n', 'TWO\n']);
    await running;
    expect(await peer.whenClosed()).to.deep.equal(normal);
  });
});
