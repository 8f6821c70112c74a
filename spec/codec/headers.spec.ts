import { expect } from 'chai';
import {
  checkHeaders,
  hasToken,
  isHost,
  isSameOrigin,
  isToken,
  parseExtensions,
  parseSubprotocols,
  splitList,
} from '../../lib/codec/headers';

describe('isToken()', () => {
  it('accepts exactly the tokens of RFC 9110 §5.6.2', () => {
    for (const text of ['chat', 'v2.chat-json', "!#$%&'*+-.^_`|~", '0']) expect(isToken(text), text).to.equal(true);
    for (const text of ['', 'a b', 'a,b', 'a"', '(a)', 'a/b', 'a\n', '\u00fc', 'a:b', 'a=b', 'a;b', '{}', '\x7f']) {
      expect(isToken(text), JSON.stringify(text)).to.equal(false);
    }
  });
});

describe('splitList()', () => {
  it('splits at commas, and trims only spaces and tabs', () => {
    expect(splitList('a, b ,\tc\t')).to.deep.equal(['a', 'b', 'c']);
    expect(splitList('a b')).to.deep.equal(['a b']);
    expect(splitList('a,,b,')).to.deep.equal(['a', '', 'b', '']);
    expect(splitList('\u00a0a')).to.deep.equal(['\u00a0a']);
  });
});

describe('hasToken()', () => {
  it('finds a token among others, in any case', () => {
    for (const value of ['upgrade', 'Upgrade', 'keep-alive, UPGRADE', 'upgrade , close', 'close,\tupgrade']) {
      expect(hasToken(value, 'upgrade'), value).to.equal(true);
    }
  });

  it('does not find a part of a token', () => {
    for (const value of [undefined, '', 'upgrades', 'no-upgrade', 'upgrade x', 'upgrade;q=1', '"upgrade"']) {
      expect(hasToken(value, 'upgrade'), value).to.equal(false);
    }
  });
});

describe('parseSubprotocols()', () => {
  it('returns the names in the order of the offer, in their own case', () => {
    expect(parseSubprotocols('Chat, superchat ,v2.json')).to.deep.equal(['Chat', 'superchat', 'v2.json']);
    expect(parseSubprotocols('chat, Chat')).to.deep.equal(['chat', 'Chat']);
  });

  it('returns an empty list if the header is missing', () => {
    expect(parseSubprotocols(undefined)).to.deep.equal([]);
  });

  it('refuses a value that is not a list of distinct tokens', () => {
    for (const value of ['', ',', 'a,', ',a', 'a,,b', 'a, a', 'a b', '"a"', 'a/b', 'a;b=1', 'caf\u00e9']) {
      expect(parseSubprotocols(value), JSON.stringify(value)).to.equal(undefined);
    }
  });

  it('parses a value of many spaces in linear time', () => {
    // Others have needed minutes for this (CVE-2021-32640); the time that mocha allows would not do.
    const spaces = ' '.repeat(200_000);
    expect(parseSubprotocols(`a${spaces}b`)).to.equal(undefined);
    expect(parseSubprotocols(`a${spaces},${spaces}b`)).to.deep.equal(['a', 'b']);
  });
});

describe('parseExtensions()', () => {
  it('accepts the grammar of RFC 6455 §9.1', () => {
    for (const value of [
      'permessage-deflate',
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=10; server_no_context_takeover, permessage-deflate',
      'a;b;c=d,e',
      'a ; b = c ,\te',
      'a; b="c"',
      'a; b="\\c\\d"',
      'a; __proto__=1; constructor, hasOwnProperty',
      'a, a; b; b=1; b=1',
    ]) {
      expect(parseExtensions(value), value).to.be.an('array');
    }
  });

  it('refuses every other value', () => {
    for (const value of [
      '',
      ' ',
      ',',
      'a,',
      ',a',
      'a,,b',
      'a;',
      'a;;b',
      ';a',
      'a;=b',
      'a;b=',
      'a;b=,c',
      'a b',
      'a;b c',
      'a=b',
      'a;b="c',
      'a;b="c\\',
      'a;b="c\\"',
      'a;b=""',
      'a;b="c d"', // unquoted, it must be a token
      'a;b="c"d',
      'a;b=c"d"',
      '"a"',
      'caf\u00e9',
    ]) {
      expect(parseExtensions(value), JSON.stringify(value)).to.equal(undefined);
    }
  });

  it('parses many escapes, quotes and spaces in linear time', () => {
    // Others have needed years for an unclosed string of forty escapes (CVE-2020-7662).
    const many = 100_000;
    expect(parseExtensions(`a; b="${'\\c'.repeat(many)}`)).to.equal(undefined);
    expect(parseExtensions(`a; b="${'\\c'.repeat(many)}"`)).to.have.lengthOf(1);
    expect(parseExtensions(`a;${' '.repeat(many)}`)).to.equal(undefined);
    expect(parseExtensions('a; b="c", '.repeat(many / 10))).to.equal(undefined);
    expect(parseExtensions(`${'a; b="c", '.repeat(many / 10)}d`)).to.have.lengthOf(many / 10 + 1);
  });
});

describe('isHost(): the grammar of RFC 9112 §3.2', () => {
  const good = [
    'example.org',
    'example.org:8080',
    'example.org:',
    'EXAMPLE.org',
    'my_service',
    'a-b.c~d',
    "a!$&'()*+,;=b",
    '%65xample.org',
    '127.0.0.1:80',
    '[::1]',
    '[::1]:443',
    '[v1.fe80::a]',
    '',
  ];
  for (const value of good) {
    it(`takes ${JSON.stringify(value)}`, () => {
      expect(isHost(value)).to.equal(true);
    });
  }

  const bad = [
    'a@evil',
    'user:secret@evil',
    'evil/#a',
    'evil/a',
    'evil?a',
    'evil#a',
    'evil\\a',
    'a b',
    'a\t',
    'a%',
    'a%2',
    'a%zz',
    'a:80:80',
    'a:80a',
    ':80a',
    '[::1',
    '::1',
    '[::1]a',
    '[]',
    '[::1]:x',
    'http://a',
    'b\u00fccher',
    'a"b',
    'a<b>',
    'a\x7f',
    'a\n',
  ];
  for (const value of bad) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      expect(isHost(value)).to.equal(false);
    });
  }
});

describe('checkHeaders()', () => {
  it('accepts the headers that Node accepts', () => {
    checkHeaders({
      'X-Text': 'a b\tc \u00e4',
      'X-Number': 1,
      'Set-Cookie': ['a=1', 'b=2'],
      'X-None': undefined,
      'X-Empty': '',
    });
  });

  const bad: [headers: Record<string, unknown>, message: RegExp][] = [
    [{ 'X-Bad': 'a\r\nX-Injected: 1' }, /header X-Bad must .* not U\+000D/],
    [{ 'X-Bad': ['fine', 'a\nb'] }, /header X-Bad must .* not U\+000A/],
    [{ 'X-Bad': 'a\0' }, /header X-Bad must .* not U\+0000/],
    [{ 'X-Bad': '\u20ac' }, /header X-Bad must .* not U\+20AC/],
    [{ 'X-Bad': '\x7f' }, /header X-Bad must .* not U\+007F/],
    [{ 'X-Bad': null }, /header X-Bad must be a string.* not null/],
    [{ 'X-Bad': { a: 1 } }, /header X-Bad must be a string.* not a plain object/],
    [{ 'X-Bad': Symbol('a') }, /header X-Bad must be a string.* not Symbol\(a\)/],
    [{ 'X Bad': 'a' }, /header name "X Bad" must be a token/],
    [{ '': 'a' }, /header name "" must be a token/],
    [{ 'X-Bad\r\n': 'a' }, /header name "X-Bad\\r\\n" must be a token/],
    [{ ':status': '200' }, /header name ":status" must be a token/],
  ];
  for (const [headers, message] of bad) {
    it(`refuses ${Object.keys(headers).map((name) => JSON.stringify(name))} with a value like ${String(message)}`, () => {
      expect(() => checkHeaders(headers as never))
        .to.throw(message)
        .with.property('code', 'WS_ERR_INVALID_ARGUMENT');
    });
  }
});

describe('isSameOrigin()', () => {
  const cases: [origin: string, host: string | undefined, same: boolean][] = [
    ['http://example.org', 'example.org', true],
    ['https://example.org', 'example.org', true],
    ['http://EXAMPLE.org', 'example.ORG', true],
    ['http://example.org', 'example.org:80', true],
    ['https://example.org', 'example.org:443', true],
    ['https://example.org:443', 'example.org', true],
    ['http://localhost:4080', 'localhost:4080', true],
    ['http://[::1]:4080', '[::1]:4080', true],
    ['http://b\u00fccher.example', 'xn--bcher-kva.example', true],
    ['http://example.org', 'example.com', false],
    ['http://example.org', 'www.example.org', false],
    ['http://localhost:4080', 'localhost:8080', false],
    ['http://localhost', 'localhost:8080', false],
    ['https://example.org', 'example.org:80', false],
    ['http://example.org.evil.test', 'example.org', false],
    ['http://example.org', undefined, false],
    ['http://example.org', '', false],
    ['http://example.org', 'not a host', false],
    ['null', 'null', false],
    ['file://', '', false],
    ['', '', false],
    ['example.org', 'example.org', false],
  ];
  for (const [origin, host, same] of cases) {
    it(`says that ${JSON.stringify(origin)} is ${same ? '' : 'not '}the origin of ${JSON.stringify(host)}`, () => {
      expect(isSameOrigin(origin, host)).to.equal(same);
    });
  }
});

describe('parseExtensions(): what it returns', () => {
  const values: [value: string | undefined, elements: unknown][] = [
    [undefined, []],
    ['x', [{ name: 'x', parameters: [] }]],
    ['  x \t ;  a ;  b  =  1 ;c=" 2"', undefined],
    [
      ' \t x  \t;  a  ;  b  =  1  ;c=  "2"  ,  y  \t ',
      [
        {
          name: 'x',
          parameters: [
            ['a', undefined],
            ['b', '1'],
            ['c', '2'],
          ],
        },
        { name: 'y', parameters: [] },
      ],
    ],
    ['x; a="\\1"', [{ name: 'x', parameters: [['a', '1']] }]],
    ['x; a=""', undefined],
    ['x;', undefined],
    ['x,', undefined],
    ['x y', undefined],
  ];
  for (const [value, elements] of values) {
    it(`${JSON.stringify(value)}: ${elements === undefined ? 'is malformed' : JSON.stringify(elements)}`, () =>
      expect(parseExtensions(value)).to.deep.equal(elements));
  }
});

describe('Lists in headers', () => {
  it('lose the spaces and tabs around their elements, and only these', () => {
    expect(splitList(' \t a \t,\tb c ,, \t ,')).to.deep.equal(['a', 'b c', '', '', '']);
    expect(splitList('\u00a0a')).to.deep.equal(['\u00a0a']);
  });
});

describe('checkHeaders(): what it accepts', () => {
  it('takes strings, numbers, booleans, and arrays of them', () => {
    checkHeaders({ a: 'x', b: 1, c: true as never, d: ['x', 'y'], e: undefined });
  });

  it('does not print an array in an array', () => {
    const secret = [['token']] as never;
    expect(() => checkHeaders({ a: secret })).to.throw(
      /must be a string, a number or an array of strings, not an array in an array;/,
    );
  });
});
