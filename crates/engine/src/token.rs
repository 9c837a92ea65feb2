//! Decision tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), so that other services verify an ALLOW offline.
//!
//! The three parts are put together here rather than by a JWT library because the key is parsed once and not at each
//! signature, which halves the cost; an independent library verifies them in the tests.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyward_domain::{Aal, Assessment, Decision};
use serde::Serialize;

use crate::EngineError;

/// Signs decision tokens.
pub struct TokenSigner {
    key: Ed25519KeyPair,
    header: String,
    jwks: String,
}

impl std::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSigner(redacted)")
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    sid: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    amr: &'a [String],
    act: &'a str,
    sens: &'a str,
}

impl TokenSigner {
    /// From an Ed25519 private key in PKCS#8 (DER).
    ///
    /// # Errors
    /// [`EngineError::Internal`] when the bytes are no such key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, EngineError> {
        let key = Ed25519KeyPair::from_pkcs8(der)
            .map_err(|_| EngineError::Internal("token key is not an Ed25519 key in PKCS#8".to_owned()))?;
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        // RFC 7638: the thumbprint over the required members in order names the key.
        let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = URL_SAFE_NO_PAD
            .encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, thumbprint.as_bytes()).as_ref());
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#));
        let jwks = format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"{kid}","x":"{x}"}}]}}"#
        );
        Ok(Self { key, header, jwks })
    }

    /// The public keys as a JSON Web Key Set.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// A token over an ALLOW. Its audience is the tenant; it ends when the decision does.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when the claims cannot be written as JSON, which none can cause.
    pub fn sign(
        &self,
        issuer: &str,
        assessment: &Assessment,
        decision: &Decision,
    ) -> Result<String, EngineError> {
        let claims = Claims {
            iss: issuer,
            aud: assessment.who.tenant.as_str(),
            sub: assessment.who.subject.as_str(),
            sid: assessment.session.as_str(),
            jti: decision.id.to_string(),
            iat: decision.at.secs(),
            exp: decision.at.plus(decision.valid_for).secs(),
            auth_time: decision.assurance.at.map(keyward_domain::Timestamp::secs),
            acr: acr(decision.assurance.aal),
            amr: &decision.assurance.amr,
            act: assessment.action.kind.name(),
            sens: assessment.action.sensitivity.name(),
        };
        let json = serde_json::to_vec(&claims).map_err(|e| EngineError::Internal(e.to_string()))?;
        let mut token = String::with_capacity(self.header.len() + json.len() * 4 / 3 + 96);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&json, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }
}

/// The authentication context class reference of a level; none when nothing is proven.
pub fn acr(aal: Aal) -> Option<String> {
    (aal != Aal::None).then(|| format!("urn:keyward:{}", aal.name()))
}
