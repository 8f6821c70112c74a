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

/** Every extension that the library has. A new one is a file beside this and a place in this list. */
const extensions: readonly Extension[] = [permessageDeflate];

/** What a client puts into its `Sec-WebSocket-Extensions`; '' for nothing. */
export function offerExtensions(options: ExtensionOptions): string {
  let offers = '';
  for (const extension of extensions) {
    const offer = extension.offer(options);
    if (offer !== undefined) offers += offers === '' ? offer : `, ${offer}`;
  }
  return offers;
}

/**
 * A server's answer to an offer: for each extension the first element of it that can be accepted. The others are declined by
 * silence (RFC 6455 §9.1). '' for nothing.
 */
export function answerExtensions(offered: readonly ExtensionElement[], options: ExtensionOptions): string {
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
 * What a client says of a server's answer (RFC 6455 §4.1): every extension must have been offered, and none stands twice.
 * @throws WebSocketError WS_ERR_INVALID_HANDSHAKE
 */
export function verifyExtensions(answer: string | undefined, options: ExtensionOptions): void {
  const elements = parseExtensions(answer);
  if (elements === undefined) throw refused('Sec-WebSocket-Extensions is malformed');
  const seen = new Set<string>();
  for (const { name, parameters } of elements) {
    const extension = find(name);
    if (extension?.offer(options) === undefined) throw refused(`the extension ${name} was not offered`);
    if (seen.has(name)) throw refused(`the extension ${name} stands twice`);
    seen.add(name);
    extension.verify(parameters, options);
  }
}

/** @param agreed the server's answer */
export function compressorFor(role: Role, agreed: string, options: ExtensionOptions): Compressor | undefined {
  const [found] = agreedExtensions(agreed);
  return found?.extension.compressor(role, found.parameters, options);
}

/** @param agreed the server's answer */
export function decompressorFor(
  role: Role,
  agreed: string,
  options: ExtensionOptions & { readonly maxMessageSize: number },
): Decompressor | undefined {
  const [found] = agreedExtensions(agreed);
  return found?.extension.decompressor(role, found.parameters, options);
}

/** There is one place for an extension that marks messages with RSV1, so at most one of them is agreed on. */
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
