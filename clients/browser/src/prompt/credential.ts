import { toBase64url } from './base64url.js';

/** A credential as JSON, as PublicKeyCredential.toJSON() of WebAuthn Level 3 gives it. */
export function credentialJson(credential: PublicKeyCredential): string {
  return JSON.stringify(native(credential) ?? byHand(credential));
}

// Some password managers replace the credential by an object of their own, whose toJSON is absent or throws.
function native(credential: PublicKeyCredential): unknown {
  try {
    return (credential as { toJSON?(): unknown }).toJSON?.();
  } catch {
    return undefined;
  }
}

function byHand(credential: PublicKeyCredential): unknown {
  const { id, rawId, type, authenticatorAttachment, response } = credential;
  return {
    id,
    rawId: toBase64url(rawId),
    type,
    ...(authenticatorAttachment && { authenticatorAttachment }),
    clientExtensionResults: credential.getClientExtensionResults(),
    response: 'attestationObject' in response ? attestation(response) : assertion(response),
  };
}

function attestation(response: AuthenticatorResponse): unknown {
  const { clientDataJSON, attestationObject, getTransports } = response as AuthenticatorAttestationResponse;
  return {
    clientDataJSON: toBase64url(clientDataJSON),
    attestationObject: toBase64url(attestationObject),
    transports: getTransports?.call(response) ?? [],
  };
}

function assertion(response: AuthenticatorResponse): unknown {
  const { clientDataJSON, authenticatorData, signature, userHandle } = response as AuthenticatorAssertionResponse;
  return {
    clientDataJSON: toBase64url(clientDataJSON),
    authenticatorData: toBase64url(authenticatorData),
    signature: toBase64url(signature),
    ...(userHandle && { userHandle: toBase64url(userHandle) }),
  };
}
