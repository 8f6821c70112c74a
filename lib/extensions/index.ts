import { parseExtensions } from '../codec/headers';
import type {
  Compressor,
  Decompressor,
  Extension,
  ExtensionElement,
  ExtensionOptions,
  ExtensionParameters,
  Role,
} from '../contracts';
import { WebSocketError } from '../errors';
import { permessageDeflate } from './permessageDeflate';

/** All extensions. To add one, add a file to this folder and a line to this list. */
const extensions: readonly Extension[] = [permessageDeflate];

/** Returns a client's `Sec-WebSocket-Extensions`; '' for no offer. */
export function offerExtensions(options: ExtensionOptions): string {
  let offers = '';
  for (const extension of extensions) {
    const offer = extension.offer(options);
    if (offer !== undefined) offers += offers === '' ? offer : `, ${offer}`;
  }
  return offers;
}

/**
 * Returns a server's `Sec-WebSocket-Extensions`: for each extension, the answer to the first element that can be
 * accepted. The other elements are declined by leaving them out (RFC 6455 §9.1). '' if none is accepted.
 */
export function answerExtensions(offered: readonly ExtensionElement[], options: ExtensionOptions): string {
  if (offered.length === 0) return '';
  const answers = extensions.flatMap((extension) => {
    for (const { name, parameters } of offered) {
      const answer = name === extension.name ? extension.answer(parameters, options) : undefined;
      if (answer !== undefined) return [answer];
    }
    return [];
  });
  return answers.join(', ');
}

/**
 * Checks a server's answer (RFC 6455 §4.1): each extension must have been offered, and must occur once.
 * @throws WebSocketError WS_ERR_INVALID_HANDSHAKE
 */
export function verifyExtensions(answer: string | undefined, options: ExtensionOptions): void {
  const elements = parseExtensions(answer);
  if (elements === undefined) throw refused(`the header Sec-WebSocket-Extensions is malformed: ${answer}`);
  const seen = new Set<string>();
  for (const { name, parameters } of elements) {
    const extension = find(name);
    if (extension?.offer(options) === undefined) throw refused(`the extension ${name} was not offered`);
    if (seen.has(name)) throw refused(`the extension ${name} stands twice`);
    seen.add(name);
    extension.verify(parameters, options);
  }
}

/**
 * Returns the Compressor for the agreed extensions; undefined if none compresses.
 * @param agreed the server's answer
 */
export function compressorFor(role: Role, agreed: string, options: ExtensionOptions): Compressor | undefined {
  const [found] = agreedExtensions(agreed);
  return found?.extension.compressor(role, found.parameters, options);
}

/**
 * Returns the Decompressor for the agreed extensions; undefined if none compresses.
 * @param agreed the server's answer
 */
export function decompressorFor(
  role: Role,
  agreed: string,
  options: ExtensionOptions & { readonly maxMessageSize: number },
): Decompressor | undefined {
  const [found] = agreedExtensions(agreed);
  return found?.extension.decompressor(role, found.parameters, options);
}

/** There is one bit, RSV1, for extensions that change messages, so at most one of them is agreed on. */
function agreedExtensions(agreed: string): { extension: Extension; parameters: ExtensionParameters }[] {
  if (agreed === '') return [];
  return (parseExtensions(agreed) ?? []).flatMap(({ name, parameters }) => {
    const extension = find(name);
    return extension === undefined ? [] : [{ extension, parameters }];
  });
}

function find(name: string): Extension | undefined {
  return extensions.find((extension) => extension.name === name);
}

function refused(detail: string): WebSocketError {
  return new WebSocketError('WS_ERR_INVALID_HANDSHAKE', detail);
}
