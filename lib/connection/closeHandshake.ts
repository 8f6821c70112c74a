import { closeCodes, isCleanCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { WebSocketError } from '../errors';

/**
 * Which Close frames were sent and received (RFC 6455 §7.1). Each side sends one Close frame, and no data frame after
 * it.
 */
type State =
  | { readonly at: 'open' }
  | { readonly at: 'closeSent'; readonly sent: CloseFrame }
  | { readonly at: 'closeReceived'; readonly received: CloseFrame }
  | {
      readonly at: 'closed';
      readonly sent: CloseFrame;
      readonly received: CloseFrame;
      readonly initiator: 'us' | 'peer';
    };

/** How a connection ended, as `whenClosed()` reports it. */
export interface CloseOutcome {
  /** The code in the peer's Close frame; 1005 if it had none, 1006 if there was no Close frame. */
  readonly code: number;
  /** The reason in the peer's Close frame; '' if there is none. */
  readonly reason: string;
  /** Whether both sides sent a Close frame. */
  readonly wasClean: boolean;
}

const open: State = { at: 'open' };

/** The close handshake as a state machine: no streams, no timers. */
export class CloseHandshake {
  #state = open;

  get closeSent(): boolean {
    return this.#state.at === 'closeSent' || this.#state.at === 'closed';
  }

  get closeReceived(): boolean {
    return this.#state.at === 'closeReceived' || this.#state.at === 'closed';
  }

  /** Whether both sides have sent their Close frame. */
  get complete(): boolean {
    return this.#state.at === 'closed';
  }

  /**
   * Returns the Close frame to send; undefined if one was sent before. If the peer's Close frame was received first,
   * the returned answer has the peer's code, whatever code was asked for (RFC 6455 §5.5.1).
   */
  close(code: number, reason: string): CloseFrame | undefined {
    const state = this.#state;
    if (state.at === 'closeSent' || state.at === 'closed') return undefined;
    if (state.at === 'open') {
      const sent: CloseFrame = { opcode: 'close', code, reason };
      this.#state = { at: 'closeSent', sent };
      return sent;
    }
    const sent = answerTo(state.received);
    this.#state = { at: 'closed', sent, received: state.received, initiator: 'peer' };
    return sent;
  }

  /**
   * Records the peer's Close frame. Returns a second Close frame to send after our own, which only hybi-03 needs: there
   * the answer to a Close frame must repeat its body (hybi-03 §4.3).
   */
  receive(received: CloseFrame): CloseFrame | undefined {
    const state = this.#state;
    if (state.at === 'open') this.#state = { at: 'closeReceived', received };
    if (state.at !== 'closeSent') return undefined;
    this.#state = { at: 'closed', sent: state.sent, received, initiator: 'us' };
    return received.body === undefined || received.body.length === 0 ? undefined : answerTo(received);
  }

  /**
   * Returns undefined if the peer's Close frame has a clean code, or answers our Close frame with the same code.
   * Otherwise returns the error for the reader, which must not take the received messages for complete.
   */
  verdict(): WebSocketError | undefined {
    const state = this.#state;
    if (state.at === 'open' || state.at === 'closeSent') return undefined;
    const { code, reason } = state.received;
    if (isCleanCloseCode(code)) return undefined;
    if (state.at === 'closed' && state.initiator === 'us' && state.sent.code === code) return undefined;
    const text = reason === '' ? `close code ${code}` : `close code ${code}, ${JSON.stringify(reason)}`;
    return new WebSocketError('WS_ERR_CLOSED_BY_PEER', text, { closeCode: code });
  }

  /** Returns how the connection ended, as far as the Close frames tell. */
  outcome(): CloseOutcome {
    const state = this.#state;
    if (state.at === 'open' || state.at === 'closeSent')
      return { code: closeCodes.abnormal, reason: '', wasClean: false };
    return { code: state.received.code, reason: state.received.reason, wasClean: state.at === 'closed' };
  }
}

function answerTo({ code, body }: CloseFrame): CloseFrame {
  return { opcode: 'close', code, reason: '', ...(body !== undefined && { body }) };
}
