//! Certificates: there, in time, and with their key.

use std::path::Path;

use keyward_domain::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Finding;
use crate::settings::Settings;
use crate::transport::tls;

/// How near its end a certificate is worth a warning, in days.
const SOON_DAYS: i64 = 21;
const DAY_S: i64 = 86_400;

pub(super) fn certificates(settings: &Settings, now: Timestamp) -> Vec<Finding> {
    let server = &settings.server;
    let mut findings = Vec::new();
    if let Some(path) = &server.tls_certificate_file {
        findings.extend(lifetimes("server.tls_certificate_file", path, now));
    }
    if let (Some(certificate), Some(key)) = (&server.tls_certificate_file, &server.tls_key_file) {
        findings.push(match tls::certified_key(certificate, key) {
            Ok(_) => Finding::ok("server.tls_key_file", "belongs to the certificate"),
            Err(error) => {
                Finding::fail("server.tls_key_file", error.to_string(), "install the two as a pair")
            }
        });
    }
    if let Some(path) = &server.tls_client_ca_file {
        findings.extend(lifetimes("server.tls_client_ca_file", path, now));
    }
    findings
}

fn lifetimes(key: &str, path: &Path, now: Timestamp) -> Vec<Finding> {
    match tls::certificates(path) {
        Err(error) => vec![Finding::fail(key, error.to_string(), "correct the path or the file")],
        Ok(certificates) => certificates.iter().map(|certificate| lifetime(key, certificate, now)).collect(),
    }
}

fn lifetime(key: &str, certificate: &CertificateDer<'_>, now: Timestamp) -> Finding {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Finding::fail(key, "has a certificate that cannot be read", "replace the file");
    };
    let validity = parsed.validity();
    let left = validity.not_after.timestamp() - now.secs();
    let days = left.div_euclid(DAY_S);
    if now.secs() < validity.not_before.timestamp() {
        return Finding::fail(key, "is not valid yet", "check the clock, or wait");
    }
    match left {
        ..0 => Finding::fail(key, "has expired", "renew it, then send SIGHUP"),
        0.. if days < SOON_DAYS => {
            Finding::warn(key, format!("expires in {days} days"), "renew it, then send SIGHUP")
        }
        _ => Finding::ok(key, format!("is valid for {days} days")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::Level;
    use super::*;

    /// Valid from 2027-01-01 to 2028-01-01.
    fn install(folder: &Path, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2027, 1, 1);
        params.not_after = date_time_ymd(2028, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let paths = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        fs::write(&paths.0, certificate.pem()).unwrap();
        fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    fn levels(certificate: &Path, key: &Path, now: i64) -> Vec<Level> {
        let mut settings = Settings::defaults();
        settings.server.tls_certificate_file = Some(certificate.to_owned());
        settings.server.tls_key_file = Some(key.to_owned());
        certificates(&settings, Timestamp::from_secs(now)).iter().map(|f| f.level).collect()
    }

    #[test]
    fn certificates_are_told_before_they_expire() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = install(folder.path(), "a");
        let (start, end) = (1_798_761_600, 1_830_297_600);
        assert_eq!(levels(&certificate, &key, start - 1), [Level::Fail, Level::Ok]);
        assert_eq!(levels(&certificate, &key, start + DAY_S), [Level::Ok, Level::Ok]);
        assert_eq!(levels(&certificate, &key, end - 5 * DAY_S), [Level::Warn, Level::Ok]);
        assert_eq!(levels(&certificate, &key, end + 1), [Level::Fail, Level::Ok]);
    }

    #[test]
    fn a_key_of_another_certificate_and_a_file_without_one_fail() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = install(folder.path(), "a");
        let (_, other) = install(folder.path(), "b");
        let now = 1_800_000_000;
        assert_eq!(levels(&certificate, &other, now), [Level::Ok, Level::Fail]);
        assert_eq!(levels(&key, &key, now), [Level::Fail, Level::Fail]);
        assert_eq!(levels(Path::new("/nonexistent"), &key, now), [Level::Fail, Level::Fail]);
    }
}
