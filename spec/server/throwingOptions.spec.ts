import { expect } from 'chai';
import { ask, listen, openingRequest } from '../support/http';
import { ask as askHttp2, extendedConnect, listenHttp2, openSession } from '../support/http2';
import { catching } from '../support/uncaught';

const mistake = new Error('a mistake in a function of an option');
const options = {
  filter: () => {
    throw mistake;
  },
  origins: () => {
    throw mistake;
  },
};

describe('A function of an option that throws', () => {
  for (const [name, option] of Object.entries(options)) {
    it(`is an uncaught exception, and the client gets 500: ${name} over HTTP/1.1`, async () => {
      const caught = await catching(async () => {
        await using server = await listen(() => expect.fail('It was called'), { [name]: option });
        const answer = await ask(server.port, openingRequest());
        expect(answer.statusCode).to.equal(500);
      });
      expect(caught).to.deep.equal([mistake]);
    });

    it(`is an uncaught exception, and the client gets 500: ${name} over HTTP/2`, async () => {
      const caught = await catching(async () => {
        await using server = await listenHttp2(() => expect.fail('It was called'), { [name]: option });
        await using session = await openSession(server.url);
        const answer = await askHttp2(session, extendedConnect('/'));
        expect(answer.headers[':status']).to.equal(500);
      });
      expect(caught).to.deep.equal([mistake]);
    });
  }
});
