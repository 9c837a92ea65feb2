export type { Decision, Reason, StepUp, StepUpAnswer } from './decision.js';
export { defineStepUp, KeywardStepUp, type StepUpHandlers, type StepUpResult } from './element.js';
export { promptText } from './texts/index.js';
