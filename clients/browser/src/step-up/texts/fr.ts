import type { Texts } from './texts.js';

export const fr: Texts = {
  dir: 'ltr',
  title: {
    PASSKEY: 'Confirmez que c’est bien vous',
    HARDWARE_PASSKEY: 'Confirmez avec votre clé de sécurité',
    BREAK_GLASS: 'Accès d’urgence',
    DENIED: 'Ce n’est pas possible',
  },
  todo: {
    PASSKEY: 'Utilisez votre clé d’accès : empreinte, visage, code PIN ou clé de sécurité.',
    HARDWARE_PASSKEY: 'Il faut ici la clé de sécurité que votre organisation a enregistrée pour vous.',
    BREAK_GLASS:
      'Vous n’avez pas accès à ceci. En cas d’urgence, vous pouvez l’ouvrir : indiquez pourquoi, et confirmez avec votre clé d’accès. L’accès est limité dans le temps, enregistré et vérifié.',
    NO_PASSKEY:
      'Vous n’avez aucune clé d’accès qui puisse le confirmer. Enregistrez-en une, ou adressez-vous à l’assistance.',
  },
  why: 'Pourquoi cette demande',
  justification: 'Pourquoi avez-vous besoin d’un accès maintenant ?',
  justificationHint: 'De 10 à 500 caractères. Ce texte sera lu lors de la vérification.',
  justificationShort: 'Écrivez au moins 10 caractères.',
  usePasskey: 'Utiliser la clé d’accès',
  usePhone: 'Utiliser un téléphone ou une tablette',
  useSecurityKey: 'Utiliser une clé de sécurité',
  openEmergency: 'Ouvrir en urgence',
  again: 'Réessayer',
  cancel: 'Pas maintenant',
  close: 'Fermer',
  waiting: 'En attente de votre clé d’accès …',
  checking: 'Vérification …',
  unreachable: 'La vérification n’a pas pu se faire. Réessayez dans un instant.',
  reasons: {
    POLICY_NEEDS_EVIDENCE: 'Confirmez que c’est bien vous.',
    POLICY_FORBIDS:
      'Votre rôle ne le permet pas. Si vous pensez qu’il le devrait, adressez-vous à votre administrateur.',
    BREAK_GLASS_GRANTED: 'L’accès d’urgence est ouvert pour un temps limité et sera vérifié.',
    PASSKEY_REJECTED: 'Votre clé d’accès n’a pas pu être vérifiée. Réessayez.',
    PASSKEY_TELEMETRY_MISMATCH: 'Votre clé d’accès n’a pas pu être vérifiée. Réessayez.',
    TYPING_DIFFERS: 'Quelque chose dans cette connexion semble inhabituel.',
    TELEMETRY_REPLAYED: 'Quelque chose dans cette connexion semble inhabituel.',
    TELEMETRY_MACHINE_LIKE: 'Quelque chose dans cette connexion semble inhabituel.',
    DEVICE_NEW: 'Nous ne connaissons pas encore cet appareil.',
    ATTEMPTS_LIMITED: 'Il y a eu beaucoup de tentatives. Confirmez que c’est bien vous.',
    RECORD_ACCESS_BURST: 'Vous ouvrez beaucoup de dossiers. Confirmez que c’est bien vous.',
    AUDIT_UNAVAILABLE: 'Nous ne pouvons pas vous laisser entrer pour l’instant. Réessayez dans un moment.',
    TYPING_PROOF_DUE:
      'Confirmez que c’est bien vous. Nous le demandons de temps en temps pour continuer à vous reconnaître.',
    KEY_UNAVAILABLE: 'Nous ne pouvons pas vous laisser entrer pour l’instant. Réessayez dans un moment.',
  },
  errors: {
    CANCELLED:
      'La demande de clé d’accès a été fermée, ou aucune clé de cet appareil ne convient. Réessayez, ou utilisez un autre appareil.',
    TIMED_OUT: 'Personne n’a répondu à temps. Réessayez.',
    NO_AUTHENTICATOR:
      'Cet appareil ne peut pas confirmer que c’est vous. Utilisez un téléphone ou une clé de sécurité.',
    NO_PASSKEY:
      'Vous n’avez aucune clé d’accès qui puisse le confirmer. Enregistrez-en une, ou adressez-vous à l’assistance.',
    WRONG_ACCOUNT: 'Cette clé d’accès est celle d’un autre compte. Utilisez la vôtre, ou changez d’utilisateur.',
    ALREADY_REGISTERED: 'Cet appareil a déjà une clé d’accès pour votre compte. Connectez-vous avec elle.',
    INSECURE_CONTEXT:
      'Les clés d’accès demandent une connexion sécurisée (https). Ouvrez cette page à son adresse sécurisée.',
    WRONG_ORIGIN: 'Votre clé d’accès a été enregistrée pour une autre page. Vérifiez l’adresse.',
    NOT_ALLOWED_HERE: 'Le navigateur n’autorise pas les clés d’accès ici. Cliquez dans la page et réessayez.',
    UNSUPPORTED: 'Ce navigateur ne connaît pas les clés d’accès. Utilisez un navigateur récent ou un autre appareil.',
    CHALLENGE_EXPIRED: 'Cela a pris trop de temps, ou la demande a déjà reçu une réponse. Réessayez.',
    INVALID_OPTIONS: 'Un problème est survenu de notre côté. Réessayez.',
    FAILED: 'Votre clé d’accès n’a pas pu être utilisée. Réessayez.',
  },
};
