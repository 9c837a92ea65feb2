export { authenticate, type Hint } from './authenticate.js';
export { autofill, autofillAvailable } from './autofill.js';
export { type Answer, type Begun, endCeremony } from './ceremony.js';
export { PromptCode, PromptError } from './error.js';
export { refusalCode } from './refusal.js';
export { register } from './register.js';
export {
  type AcceptedCredentials,
  signalAccepted,
  signalUnknown,
  signalUserDetails,
  type UserDetails,
} from './signals.js';
