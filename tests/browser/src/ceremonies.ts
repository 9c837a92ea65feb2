import { randomBytes } from 'node:crypto';

/** Options as keyward gives them, for tests without a keyward: a new challenge each time. */
export const registration = (user: string, exclude: string[] = []) => ({
  ceremonyId: `registration-${user}`,
  optionsJson: JSON.stringify({
    publicKey: {
      challenge: randomBytes(32).toString('base64url'),
      timeout: 60_000,
      rp: { id: 'localhost', name: 'keyward' },
      user: { id: Buffer.from(user.padEnd(16)).toString('base64url'), name: user, displayName: user },
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
      attestation: 'none',
      excludeCredentials: exclude.map(id => ({ type: 'public-key', id })),
    },
  }),
});

export const authentication = (allow: string[] = [], timeout = 60_000) => ({
  ceremonyId: 'authentication',
  optionsJson: JSON.stringify({
    publicKey: {
      challenge: randomBytes(32).toString('base64url'),
      timeout,
      rpId: 'localhost',
      userVerification: 'required',
      allowCredentials: allow.map(id => ({ type: 'public-key', id })),
    },
  }),
});

/** A decision that asks for evidence, as JSON. */
export const stepUp = (evidence: string, begun: object, ...reasons: [code: string, userText: string, metadata?: object][]) => ({
  outcome: 'OUTCOME_STEP_UP',
  reasons: reasons.map(([code, userText, metadata]) => ({ code: `REASON_CODE_${code}`, userText, metadata: metadata ?? {} })),
  stepUp: { evidence: `EVIDENCE_${evidence}`, ...begun },
});
