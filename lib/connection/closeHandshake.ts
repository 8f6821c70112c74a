import { closeCodes, isCleanCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { WebSocketError } from '../errors';

/** Who has said goodbye (RFC 6455 §7.1). Each step is taken once; a Close frame is final for the side that sends it. */
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

/** How a connection ended, as `closed` tells it. */
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

  /** Both sides have sent their Close frame. */
  get complete(): boolean {
    return this.#state.at === 'closed';
  }

  /**
   * Our side says goodbye. Returns the frame to send: the answer to the peer's Close, if that came first, has the peer's
   * code (§5.5.1), whatever code was asked for. Undefined if a Close frame has been sent before.
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
   * The peer says goodbye. Returns what must be sent although we have said it before: in drafts whose Close has a body of its
   * own, an answer must repeat it (hybi-03 §4.3).
   */
  receive(received: CloseFrame): CloseFrame | undefined {
    const state = this.#state;
    if (state.at === 'open') this.#state = { at: 'closeReceived', received };
    if (state.at !== 'closeSent') return undefined;
    this.#state = { at: 'closed', sent: state.sent, received, initiator: 'us' };
    return received.body === undefined || received.body.length === 0 ? undefined : answerTo(received);
  }

  /**
   * What the peer's Close means for whoever reads: nothing when the peer was done, or answers our own Close with its code;
   * otherwise the peer stopped before its end, and the reader must not take that for completion.
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

  /** How it ended, once the byte stream is gone. */
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
