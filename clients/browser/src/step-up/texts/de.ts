import type { Texts } from './texts.js';

export const de: Texts = {
  dir: 'ltr',
  title: {
    PASSKEY: 'Bestätigen Sie, dass Sie es sind',
    HARDWARE_PASSKEY: 'Mit Ihrem Sicherheitsschlüssel bestätigen',
    BREAK_GLASS: 'Notfallzugriff',
    DENIED: 'Das ist nicht möglich',
  },
  todo: {
    PASSKEY: 'Verwenden Sie Ihren Passkey: Fingerabdruck, Gesicht, PIN oder Sicherheitsschlüssel.',
    HARDWARE_PASSKEY: 'Dafür ist der Sicherheitsschlüssel nötig, den Ihre Einrichtung für Sie registriert hat.',
    BREAK_GLASS:
      'Sie haben hierauf keinen Zugriff. Im Notfall dürfen Sie ihn öffnen: Geben Sie den Grund an und bestätigen Sie mit Ihrem Passkey. Der Zugriff ist befristet, wird aufgezeichnet und überprüft.',
    NO_PASSKEY:
      'Sie haben keinen Passkey, der das bestätigen könnte. Registrieren Sie einen oder fragen Sie den Support.',
  },
  why: 'Warum wir fragen',
  justification: 'Warum brauchen Sie jetzt Zugriff?',
  justificationHint: '10 bis 500 Zeichen. Das wird bei der Überprüfung gelesen.',
  justificationShort: 'Bitte schreiben Sie mindestens 10 Zeichen.',
  usePasskey: 'Passkey verwenden',
  usePhone: 'Telefon oder Tablet verwenden',
  useSecurityKey: 'Sicherheitsschlüssel verwenden',
  openEmergency: 'Im Notfall öffnen',
  again: 'Erneut versuchen',
  cancel: 'Jetzt nicht',
  close: 'Schließen',
  waiting: 'Warten auf Ihren Passkey …',
  checking: 'Wird geprüft …',
  unreachable: 'Das konnte gerade nicht geprüft werden. Bitte versuchen Sie es gleich noch einmal.',
  reasons: {
    POLICY_NEEDS_EVIDENCE: 'Bitte bestätigen Sie, dass Sie es sind.',
    POLICY_FORBIDS:
      'Ihre Rolle erlaubt das nicht. Wenden Sie sich an Ihre Administration, wenn sie es Ihrer Meinung nach sollte.',
    BREAK_GLASS_GRANTED: 'Der Notfallzugriff ist befristet geöffnet und wird überprüft.',
    PASSKEY_REJECTED: 'Ihr Passkey konnte nicht überprüft werden. Bitte versuchen Sie es erneut.',
    PASSKEY_TELEMETRY_MISMATCH: 'Ihr Passkey konnte nicht überprüft werden. Bitte versuchen Sie es erneut.',
    TYPING_DIFFERS: 'Etwas an dieser Anmeldung sieht anders aus als sonst.',
    TELEMETRY_REPLAYED: 'Etwas an dieser Anmeldung sieht anders aus als sonst.',
    TELEMETRY_MACHINE_LIKE: 'Etwas an dieser Anmeldung sieht anders aus als sonst.',
    DEVICE_NEW: 'Dieses Gerät kennen wir noch nicht.',
    ATTEMPTS_LIMITED: 'Es gab viele Versuche. Bitte bestätigen Sie, dass Sie es sind.',
    RECORD_ACCESS_BURST: 'Sie öffnen viele Akten. Bitte bestätigen Sie, dass Sie es sind.',
    AUDIT_UNAVAILABLE: 'Wir können Sie gerade nicht hereinlassen. Bitte versuchen Sie es gleich noch einmal.',
    TYPING_PROOF_DUE:
      'Bitte bestätigen Sie, dass Sie es sind. Wir fragen von Zeit zu Zeit, damit wir Sie weiterhin erkennen.',
    KEY_UNAVAILABLE: 'Wir können Sie gerade nicht hereinlassen. Bitte versuchen Sie es gleich noch einmal.',
  },
  errors: {
    CANCELLED:
      'Die Passkey-Abfrage wurde geschlossen, oder kein Passkey auf diesem Gerät passt. Versuchen Sie es erneut oder mit einem anderen Gerät.',
    TIMED_OUT: 'Niemand hat rechtzeitig geantwortet. Bitte versuchen Sie es erneut.',
    NO_AUTHENTICATOR:
      'Dieses Gerät kann nicht bestätigen, dass Sie es sind. Verwenden Sie ein Telefon oder einen Sicherheitsschlüssel.',
    NO_PASSKEY:
      'Sie haben keinen Passkey, der das bestätigen könnte. Registrieren Sie einen oder fragen Sie den Support.',
    WRONG_ACCOUNT:
      'Dieser Passkey gehört zu einem anderen Konto. Verwenden Sie Ihren eigenen oder wechseln Sie den Benutzer.',
    ALREADY_REGISTERED: 'Dieses Gerät hat schon einen Passkey für Ihr Konto. Melden Sie sich damit an.',
    INSECURE_CONTEXT:
      'Passkeys brauchen eine sichere Verbindung (https). Öffnen Sie diese Seite unter ihrer sicheren Adresse.',
    WRONG_ORIGIN: 'Ihr Passkey wurde für eine andere Seite registriert. Prüfen Sie die Adresse.',
    NOT_ALLOWED_HERE: 'Der Browser erlaubt hier keine Passkeys. Klicken Sie in die Seite und versuchen Sie es erneut.',
    UNSUPPORTED: 'Dieser Browser kennt keine Passkeys. Verwenden Sie einen aktuellen oder ein anderes Gerät.',
    CHALLENGE_EXPIRED: 'Das hat zu lange gedauert oder wurde schon beantwortet. Bitte versuchen Sie es erneut.',
    INVALID_OPTIONS: 'Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es erneut.',
    FAILED: 'Ihr Passkey konnte nicht verwendet werden. Bitte versuchen Sie es erneut.',
  },
};
