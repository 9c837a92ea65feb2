//! A maker of security keys whose root the deployment trusts.

use keyward_simulate::authenticator::{Attestation, Behaviour, SoftAuthenticator};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::world::ORIGIN;

/// A root certificate, and an attestation key with its certificate (WebAuthn Level 3 §8.2.1).
pub struct Maker {
    root_pem: String,
    key_pkcs8: Vec<u8>,
    certificate: Vec<u8>,
}

impl Maker {
    /// A maker with fresh keys.
    pub fn new() -> Self {
        let root_key = KeyPair::generate().expect("a key");
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "Test Maker Root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_pem = root.self_signed(&root_key).expect("a root").pem();

        let key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CountryName, "SE");
        leaf.distinguished_name.push(DnType::OrganizationName, "Test Maker");
        leaf.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        leaf.distinguished_name.push(DnType::CommonName, "Test Maker Key");
        leaf.is_ca = IsCa::ExplicitNoCa;
        let certificate = leaf.signed_by(&key, &Issuer::new(root, root_key)).expect("a certificate");
        Self { root_pem, key_pkcs8: key.serialize_der(), certificate: certificate.der().to_vec() }
    }

    /// The root, for the relying party's settings.
    pub fn root_pem(&self) -> String {
        self.root_pem.clone()
    }

    /// A security key of this maker.
    pub fn security_key(&self, seed: u64) -> SoftAuthenticator {
        let attestation =
            Attestation::new(&self.key_pkcs8, vec![self.certificate.clone()]).expect("a P-256 key");
        SoftAuthenticator::new(ORIGIN, seed).with(Behaviour::hardware()).with_attestation(attestation)
    }
}

impl Default for Maker {
    fn default() -> Self {
        Self::new()
    }
}
