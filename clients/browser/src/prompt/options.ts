import { fromBase64url } from './base64url.js';
import { PromptCode, PromptError } from './error.js';

interface DescriptorJson {
  id: string;
  type: PublicKeyCredentialType;
  transports?: AuthenticatorTransport[];
}

/** What may be in keyward's `options_json`, as far as it is looked at here. */
interface OptionsJson {
  publicKey?: Record<string, unknown>;
}

// Newer than the DOM library's types.
interface JsonParsers {
  parseCreationOptionsFromJSON?(json: unknown): PublicKeyCredentialCreationOptions;
  parseRequestOptionsFromJSON?(json: unknown): PublicKeyCredentialRequestOptions;
}

/** The browser's options for `navigator.credentials.create` from keyward's `options_json`. */
export function creationOptions(optionsJson: string): PublicKeyCredentialCreationOptions {
  const json = publicKeyOf(optionsJson);
  return parsed(() => parsers().parseCreationOptionsFromJSON?.(json) ?? creationByHand(json));
}

/** The browser's options for `navigator.credentials.get` from keyward's `options_json`. */
export function requestOptions(optionsJson: string): PublicKeyCredentialRequestOptions {
  const json = publicKeyOf(optionsJson);
  return parsed(() => parsers().parseRequestOptionsFromJSON?.(json) ?? requestByHand(json));
}

function parsers(): JsonParsers {
  return PublicKeyCredential as unknown as JsonParsers;
}

function publicKeyOf(optionsJson: string): Record<string, unknown> {
  return parsed(() => {
    const { publicKey } = JSON.parse(optionsJson) as OptionsJson;
    if (!publicKey) throw new TypeError('options have no publicKey');
    return publicKey;
  });
}

function creationByHand(json: Record<string, unknown>): PublicKeyCredentialCreationOptions {
  const options = json as unknown as PublicKeyCredentialCreationOptions;
  const user = json.user as { id: string; name: string; displayName: string };
  return {
    ...options,
    challenge: fromBase64url(json.challenge as string),
    user: { ...user, id: fromBase64url(user.id) },
    excludeCredentials: descriptors(json.excludeCredentials),
  };
}

function requestByHand(json: Record<string, unknown>): PublicKeyCredentialRequestOptions {
  const options = json as unknown as PublicKeyCredentialRequestOptions;
  const challenge = fromBase64url(json.challenge as string);
  return { ...options, challenge, allowCredentials: descriptors(json.allowCredentials) };
}

function descriptors(json: unknown): PublicKeyCredentialDescriptor[] {
  return ((json ?? []) as DescriptorJson[]).map(one => ({ ...one, id: fromBase64url(one.id) }));
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new PromptError(PromptCode.INVALID_OPTIONS, { cause });
  }
}
