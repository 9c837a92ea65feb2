//! Who asks: the relying party's settings, checked once at start.

use webauthn_rs::prelude::{AttestationCaList, Url, Webauthn, WebauthnBuilder};

use crate::PasskeyError;

/// The one id whose origins may be plain HTTP on any port: a developer's own machine.
const LOCALHOST: &str = "localhost";
/// Origins of Android applications: `android:apk-key-hash:` and the hash of the signing certificate.
const ANDROID: &str = "android";

/// The relying party: whose passkeys these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The domain that passkeys are bound to, such as `example.org`. To change it is to lose every passkey.
    pub id: String,
    /// The name that authenticators show.
    pub name: String,
    /// Where pages that use the passkeys come from, such as `https://portal.example.org`; the first must be a
    /// web origin. Compared exactly, with the port. HTTP is accepted on `localhost` alone, and there on every
    /// port.
    pub origins: Vec<String>,
    /// Root certificates (PEM, one each) of the makers whose attestation proves that a key cannot leave its
    /// hardware. Every model under a root is accepted. Empty: hardware-bound registration is not to be had.
    pub attestation_roots_pem: Vec<String>,
}

impl RelyingParty {
    pub(crate) fn webauthn(&self) -> Result<Webauthn, PasskeyError> {
        let origins: Result<Vec<Url>, _> = self.origins.iter().map(|origin| self.checked(origin)).collect();
        let origins = origins?;
        let first = origins.first().ok_or_else(|| invalid("no origin is given"))?;
        let builder = WebauthnBuilder::new(&self.id, first)
            .map_err(|_| invalid(&format!("the first origin must be a page of {}", self.id)))?
            .rp_name(&self.name)
            .allow_any_port(self.id == LOCALHOST);
        let builder = origins.iter().skip(1).fold(builder, WebauthnBuilder::append_allowed_origin);
        builder.build().map_err(|_| invalid("the library refuses them"))
    }

    pub(crate) fn attestation_roots(&self) -> Result<AttestationCaList, PasskeyError> {
        let mut roots = AttestationCaList::default();
        for pem in &self.attestation_roots_pem {
            let root = AttestationCaList::try_from(pem.trim().as_bytes())
                .map_err(|_| invalid("an attestation root is not one certificate in PEM"))?;
            roots.union(&root);
        }
        Ok(roots)
    }

    fn checked(&self, origin: &str) -> Result<Url, PasskeyError> {
        let url = Url::parse(origin).map_err(|_| invalid(&format!("{origin} is not an origin")))?;
        if url.scheme() == ANDROID {
            return Ok(url);
        }
        let domain = url.domain().ok_or_else(|| invalid(&format!("{origin} has no domain name")))?;
        let below =
            domain.strip_suffix(&self.id).is_some_and(|rest| rest.ends_with('.') && self.id.contains('.'));
        if domain != self.id && !below {
            return Err(invalid(&format!("{origin} is not within {}", self.id)));
        }
        match url.scheme() {
            "https" => {}
            "http" if domain == LOCALHOST => {}
            _ => return Err(invalid(&format!("{origin} must be https"))),
        }
        if url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
        {
            return Err(invalid(&format!("{origin} must be scheme, host and port alone")));
        }
        Ok(url)
    }
}

fn invalid(what: &str) -> PasskeyError {
    PasskeyError::Configuration(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(id: &str, origins: &[&str]) -> Result<Webauthn, PasskeyError> {
        let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
        RelyingParty { id: id.into(), name: "n".into(), origins, attestation_roots_pem: vec![] }.webauthn()
    }

    #[test]
    fn origins_must_lie_within_the_id_and_be_encrypted() {
        for (id, origins) in [
            ("localhost", &["http://localhost:8080"][..]),
            ("example.org", &["https://example.org", "https://portal.example.org:8443"]),
            ("example.org", &["https://example.org", "android:apk-key-hash:abc"]),
            ("emr", &["https://emr"]),
        ] {
            assert!(party(id, origins).is_ok(), "{id} {origins:?}");
        }
        for (id, origins) in [
            ("example.org", &[][..]),
            ("", &["https://example.org"]),
            ("org", &["https://example.org"]),
            ("example.org", &["http://example.org"]),
            ("example.org", &["https://badexample.org"]),
            ("example.org", &["https://example.org", "https://example.com"]),
            ("example.org", &["https://example.org/login"]),
            ("example.org", &["android:apk-key-hash:abc"]),
            ("127.0.0.1", &["http://127.0.0.1:8080"]),
            ("example.org", &["not an origin"]),
        ] {
            assert!(matches!(party(id, origins), Err(PasskeyError::Configuration(_))), "{id} {origins:?}");
        }
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        let mut party = RelyingParty {
            id: "example.org".into(),
            name: "n".into(),
            origins: vec!["https://example.org".into()],
            attestation_roots_pem: vec![
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".into(),
            ],
        };
        assert!(matches!(party.attestation_roots(), Err(PasskeyError::Configuration(_))));
        party.attestation_roots_pem.clear();
        assert!(party.attestation_roots().unwrap().is_empty());
    }
}
