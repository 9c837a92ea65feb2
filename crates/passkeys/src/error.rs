//! What can go wrong, and how the library's own errors are named here.

use webauthn_rs::prelude::WebauthnError;

/// Why a ceremony did not succeed. No variant carries a challenge, a key or what a client sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// The relying party's settings make no sense; the text says which.
    #[error("relying party settings are invalid: {0}")]
    Configuration(String),
    /// The user's name or display name is empty.
    #[error("user name and display name must not be empty")]
    InvalidUser,
    /// A hardware-bound registration was asked for, and no attestation root is configured.
    #[error("no attestation roots are configured, so a hardware-bound passkey cannot be registered")]
    HardwareUnavailable,
    /// The response is longer than [`MAX_RESPONSE_BYTES`](crate::MAX_RESPONSE_BYTES).
    #[error("the response is too long")]
    ResponseTooLarge,
    /// The response is not what a browser gives.
    #[error("the response is malformed")]
    MalformedResponse,
    /// A registration where an authentication was expected, or the other way round.
    #[error("the response or state belongs to another kind of ceremony")]
    WrongCeremony,
    /// The response answers another challenge.
    #[error("the response answers another challenge")]
    ChallengeMismatch,
    /// The response was made on a page of another origin, or in a frame of one.
    #[error("the response was made for another origin")]
    OriginMismatch,
    /// The authenticator answered for another relying party.
    #[error("the response was made for another relying party")]
    RelyingPartyMismatch,
    /// The credential is not the one given, or not among those that the ceremony allows.
    #[error("the credential is not known here")]
    UnknownCredential,
    /// The credential that was registered is among the excluded ones.
    #[error("the credential is registered already")]
    AlreadyRegistered,
    /// The user that the authenticator names is not the credential's owner, or it names none where it must.
    #[error("the response names another user")]
    UserMismatch,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// Nobody touched the authenticator.
    #[error("user presence is missing")]
    UserPresenceMissing,
    /// The authenticator did not verify the user by PIN or biometric.
    #[error("user verification is missing")]
    UserVerificationMissing,
    /// Backup eligibility changed since registration, which it never may, or the flags contradict each other.
    #[error("the backup flags are inconsistent")]
    BackupInconsistent,
    /// The key's algorithm was not offered or is not supported.
    #[error("the algorithm is not supported")]
    AlgorithmUnsupported,
    /// The attestation is missing, does not verify, or does not lead to a configured root.
    #[error("the attestation is not trusted")]
    AttestationUntrusted,
    /// A hardware-bound registration answered by a passkey that can be copied.
    #[error("the passkey is not bound to hardware")]
    NotHardwareBound,
    /// The state is not what a `begin` function of this version gave.
    #[error("the ceremony's state is damaged")]
    StateDamaged,
    /// The credential is not what a `finish` function of this version gave.
    #[error("the stored credential is damaged")]
    CredentialDamaged,
    /// The library refused for a reason that has no name here.
    #[error("the response was refused")]
    Refused,
}

impl PasskeyError {
    /// The stable name, for reasons, metrics and records.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "configuration",
            Self::InvalidUser => "invalid_user",
            Self::HardwareUnavailable => "hardware_unavailable",
            Self::ResponseTooLarge => "response_too_large",
            Self::MalformedResponse => "malformed_response",
            Self::WrongCeremony => "wrong_ceremony",
            Self::ChallengeMismatch => "challenge_mismatch",
            Self::OriginMismatch => "origin_mismatch",
            Self::RelyingPartyMismatch => "relying_party_mismatch",
            Self::UnknownCredential => "unknown_credential",
            Self::AlreadyRegistered => "already_registered",
            Self::UserMismatch => "user_mismatch",
            Self::SignatureInvalid => "signature_invalid",
            Self::UserPresenceMissing => "user_presence_missing",
            Self::UserVerificationMissing => "user_verification_missing",
            Self::BackupInconsistent => "backup_inconsistent",
            Self::AlgorithmUnsupported => "algorithm_unsupported",
            Self::AttestationUntrusted => "attestation_untrusted",
            Self::NotHardwareBound => "not_hardware_bound",
            Self::StateDamaged => "state_damaged",
            Self::CredentialDamaged => "credential_damaged",
            Self::Refused => "refused",
        }
    }
}

impl PasskeyError {
    /// Names an error of the library; `otherwise` names the ones that concern what is left of the ceremony.
    pub(crate) fn named(error: &WebauthnError, otherwise: Self) -> Self {
        use WebauthnError as W;
        match error {
            W::InvalidUsername => Self::InvalidUser,
            W::MissingAttestationCaList => Self::HardwareUnavailable,
            W::ParseBase64Failure(_)
            | W::ParseCBORFailure(_)
            | W::ParseJSONFailure(_)
            | W::ParseNOMFailure
            | W::ParseInsufficientBytesAvailable
            | W::MissingAttestationCredentialData => Self::MalformedResponse,
            W::InvalidClientDataType => Self::WrongCeremony,
            W::MismatchedChallenge => Self::ChallengeMismatch,
            W::InvalidRPOrigin | W::CredentialCrossOrigin => Self::OriginMismatch,
            W::InvalidRPIDHash => Self::RelyingPartyMismatch,
            W::CredentialNotFound => Self::UnknownCredential,
            W::AuthenticationFailure | W::SignatureInvalid => Self::SignatureInvalid,
            W::UserNotPresent => Self::UserPresenceMissing,
            W::UserNotVerified => Self::UserVerificationMissing,
            W::CredentialBackupEligibilityInconsistent | W::CredentialMayNotBeHardwareBound => {
                Self::BackupInconsistent
            }
            W::COSEKeyInvalidCBORValue
            | W::COSEKeyInvalidType
            | W::COSEKeyEDUnsupported
            | W::COSEKeyECDSAXYInvalid
            | W::COSEKeyRSANEInvalid
            | W::COSEKeyECDSAInvalidCurve
            | W::COSEKeyEDDSAXInvalid
            | W::COSEKeyEDDSAInvalidCurve
            | W::COSEKeyInvalidAlgorithm
            | W::CredentialAlteredAlgFromRequest
            | W::CredentialInsecureCryptography
            | W::EcdsaPointInvalid
            | W::RsaParametersInvalid => Self::AlgorithmUnsupported,
            _ => otherwise,
        }
    }
}
