// The page of the SDK's own tests: nothing but the SDK, within reach of the tests.
import * as keyward from '@keyward/browser';

keyward.defineStepUp();
Object.assign(window, { keyward });

declare global {
  interface Window {
    keyward: typeof keyward;
    collector: keyward.Collector;
    sent: unknown[];
    asked: Promise<unknown>;
  }
}
