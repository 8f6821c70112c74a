import { expect } from 'chai';
import type { PerMessageDeflateOptions } from '../../lib/contracts';
import { compressorFor, decompressorFor, verifyExtensions } from '../../lib/extensions';
import { thrownBy } from '../support/thrown';

describe('Extensions', () => {
  it('with an unknown name do not compress', () => {
    const options = { perMessageDeflate: true, maxMessageSize: 1000 };
    for (const agreed of ['', 'foo', 'foo; bar=1', ';']) {
      expect(compressorFor('server', agreed, options), agreed).to.equal(undefined);
      expect(decompressorFor('client', agreed, options), agreed).to.equal(undefined);
    }
    for (const agreed of ['permessage-deflate', 'foo, permessage-deflate']) {
      expect(compressorFor('server', agreed, options), agreed).to.not.equal(undefined);
      expect(decompressorFor('client', agreed, options), agreed).to.not.equal(undefined);
    }
  });

  const offer = { serverNoContextTakeover: true, serverMaxWindowBits: 10, clientMaxWindowBits: 10 };
  const complaints: readonly (readonly [answer: string, complaint: string, offer?: PerMessageDeflateOptions])[] = [
    ['permessage-deflate,', 'Sec-WebSocket-Extensions is malformed'],
    ['foo', 'foo was not offered'],
    ['permessage-deflate, permessage-deflate', 'permessage-deflate stands twice'],
    ['permessage-deflate; foo', 'permessage-deflate: malformed parameters'],
    ['permessage-deflate; server_max_window_bits=10', 'server_no_context_takeover', offer],
    ['permessage-deflate; server_no_context_takeover', 'server_max_window_bits', offer],
    [
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11',
      'client_max_window_bits',
      offer,
    ],
  ];

  for (const [answer, complaint, perMessageDeflate = {}] of complaints)
    it(`that a client cannot accept fail with an error that says why: ${complaint}`, () => {
      const error = thrownBy(() => verifyExtensions(answer, { perMessageDeflate }));
      expect(error.message).to.include(complaint);
    });
});
