export { type CollectOptions, type Collector, collect } from './collector.js';
export { Consent, type ConsentState } from './consent.js';
export type { FieldReport } from './field.js';
export { guarded, TelemetryGuardError } from './guard.js';
export { collectSession, type SessionCollector, type SessionOptions, type SessionReport } from './session.js';
export { type KeystrokeSample, KeyZone, type PointerSample, type Telemetry } from './telemetry.js';
