export * from './collect/index.js';
export * from './prompt/index.js';
export * from './step-up/index.js';
