import { PromptCode, PromptError } from './error.js';

/** What was known when the browser threw. */
export interface Circumstances {
  readonly kind: 'create' | 'get';
  /** How long the prompt was open, in milliseconds. */
  readonly openMs: number;
  /** How long the options allowed it to be open, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** Whether another prompt or the app ended it. */
  readonly aborted: boolean;
}

/** Names a browser's error (WebAuthn Level 3 §5.1.3, §5.1.4). */
export function nameError(error: unknown, seen: Circumstances): PromptError {
  return error instanceof PromptError ? error : new PromptError(codeOf(error, seen), { cause: error });
}

function codeOf(error: unknown, seen: Circumstances): PromptCode {
  if (seen.aborted) return PromptCode.SUPERSEDED;
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
      return refused(error as Error, seen);
    case 'AbortError':
      return PromptCode.SUPERSEDED;
    case 'InvalidStateError':
      return seen.kind === 'create' ? PromptCode.ALREADY_REGISTERED : PromptCode.FAILED;
    case 'ConstraintError':
    case 'NotSupportedError':
      return PromptCode.NO_AUTHENTICATOR;
    case 'SecurityError':
      return PromptCode.WRONG_ORIGIN;
    case 'TypeError':
    case 'SyntaxError':
    case 'EncodingError':
    case 'DataError':
      return PromptCode.INVALID_OPTIONS;
    default:
      return PromptCode.FAILED;
  }
}

// Browsers say NotAllowedError for most of what can happen, so that pages cannot probe for passkeys.
function refused(error: Error, seen: Circumstances): PromptCode {
  if (seen.timeoutMs !== undefined && seen.openMs >= seen.timeoutMs) return PromptCode.TIMED_OUT;
  if (/permission|policy|document is not focused|not focused/i.test(error.message)) {
    // Chromium's text for cancelled and timed out has "not allowed" and "timed out", and none of these words.
    return PromptCode.NOT_ALLOWED_HERE;
  }
  return PromptCode.CANCELLED;
}
