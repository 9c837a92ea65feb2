//! A software WebAuthn authenticator.
