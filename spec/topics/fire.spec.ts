import { Arena } from './fire/arena';
import { attacks } from './fire/attacks';

for (const engine of ['nats', 'redis'] as const)
  describe(`Topics under fire on ${engine}: two servers, HAProxy, and 200 clients that resume`, function () {
    this.timeout(300_000);
    let arena: Arena;
    before(async function () {
      arena = await Arena.start(engine, 1, this);
    });
    after(() => arena?.close());

    it('every client gets what is published', () => arena.settle());

    for (const [name, attack] of Object.entries(attacks))
      it(`${name}: every client gets the messages that follow`, async () => {
        await attack(arena);
        await arena.settle();
      });

    it('every client has every message of its topic, in order, exactly once', () => arena.account());
  });
