import { expect } from 'chai';
import type { Version } from '../../lib/contracts';
import { claimedVersion, findProtocolVersion, knownVersions, protocolVersion } from '../../lib/versions';
import { thrownBy } from '../support/thrown';

describe('The list of versions', () => {
  it('contains 13, 8 and 7 in order of preference, then the older drafts', () => {
    expect(knownVersions).to.deep.equal(['13', '8', '7', 'draft03', 'draft76', 'draft75']);
  });

  it('contains no other version', () => {
    for (const version of ['', '0', '4', '6', '9', '14', '013', '13.0', ' 13', 'constructor', '__proto__']) {
      expect(findProtocolVersion(version), version).to.equal(undefined);
    }
  });

  it('tells in which header a client of each version sends its origin', () => {
    const originHeaders = knownVersions.map((version) => protocolVersion(version).originHeader(version));
    const [ofDrafts, usual] = ['sec-websocket-origin', 'origin'];
    expect(originHeaders).to.deep.equal([usual, ofDrafts, ofDrafts, usual, usual, usual]);
  });
});

describe('claimedVersion()', () => {
  it('is the value of Sec-WebSocket-Version, also if the library does not know it', () => {
    expect(claimedVersion({ 'sec-websocket-version': '13' })).to.equal('13');
    expect(claimedVersion({ 'sec-websocket-version': '14', 'sec-websocket-draft': '2' })).to.equal('14');
  });

  it('is draft03 for the drafts 1 to 3, and draft76 for draft 0', () => {
    for (const draft of ['1', '2', '3']) expect(claimedVersion({ 'sec-websocket-draft': draft })).to.equal('draft03');
    expect(claimedVersion({ 'sec-websocket-draft': '0' })).to.equal('draft76');
  });

  it('is draft76 for a request with one of the two keys, so that the other one is asked for', () => {
    expect(claimedVersion({ 'sec-websocket-key1': '1 2' })).to.equal('draft76');
    expect(claimedVersion({ 'sec-websocket-key2': '1 2' })).to.equal('draft76');
  });

  it('is draft75 for a request without any of these headers', () => {
    expect(claimedVersion({ host: 'example.com' })).to.equal('draft75');
  });

  it('is undefined for an unknown draft, and for a key of RFC 6455 without a version', () => {
    for (const draft of ['4', '12', '21', ''])
      expect(claimedVersion({ 'sec-websocket-draft': draft })).to.equal(undefined);
    expect(claimedVersion({ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' })).to.equal(undefined);
  });
});

describe('protocolVersion()', () => {
  it('throws an error that names the option and the known versions', () => {
    const unknown = '14' as Version;
    expect(thrownBy(() => protocolVersion(unknown)).message).to.include("option version must be one of '13', '8'");
    const ofList = thrownBy(() => protocolVersion(unknown, 'versions'));
    expect(ofList.message).to.include("option versions must have only '13', '8'");
    expect(ofList.code).to.equal('WS_ERR_INVALID_ARGUMENT');
  });
});
