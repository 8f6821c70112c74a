import type { Role, Version } from '../../../lib/contracts';
import { cut, expectSame, Input } from '../input';
import { independentOfCuts, readAll } from '../readAll';
import { settling } from '../settling';

const versions: readonly Version[] = ['13', '8', '7', 'draft03', 'draft76', 'draft75'];
const roles: readonly Role[] = ['server', 'client'];

/** Each version in both roles: however the bytes are cut, and whether or not messages come in parts, the same comes out of them. */
export const fuzz = settling(async (data: Buffer): Promise<void> => {
  const input = new Input(data);
  const version = input.pick(versions);
  const role = input.pick(roles);
  const size = input.byte() % 8;
  const maxMessageSize = input.flag() ? 64 : 100_000;
  const bytes = input.rest();
  const settings = { version, role, maxMessageSize, extensions: '', parts: false };
  const whole = independentOfCuts(await readAll(settings, [bytes]));
  const pieces = cut(bytes, size);
  expectSame(`${version}, ${role}, cut`, whole, independentOfCuts(await readAll(settings, pieces)));
  const inParts = await readAll({ ...settings, parts: true }, pieces);
  expectSame(`${version}, ${role}, in parts`, whole, independentOfCuts(inParts));
});
