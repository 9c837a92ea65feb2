//! TLS as the settings say, read again on request: connections that begin later use the new files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::settings::Server;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM of the kind expected.
    #[error("{}: {message}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The parts do not work together.
    #[error("tls: {0}")]
    Config(String),
}

/// The TLS settings in use.
pub struct Tls {
    current: ArcSwap<ServerConfig>,
    /// The end of the certificate, in seconds since 1970.
    not_after: AtomicI64,
    settings: Server,
}

impl Tls {
    /// Reads the files. `None` when the settings ask for plaintext.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn load(settings: &Server) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(config) = config(settings)? else {
            return Ok(None);
        };
        let not_after = AtomicI64::new(not_after(settings).unwrap_or_default());
        Ok(Some(Arc::new(Self {
            current: ArcSwap::from_pointee(config),
            not_after,
            settings: settings.clone(),
        })))
    }

    /// Reads the files again. On an error, what was in use stays in use.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Some(config) = config(&self.settings)? {
            self.current.store(Arc::new(config));
            self.not_after.store(not_after(&self.settings).unwrap_or_default(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The end of the certificate in use, in seconds since 1970, where it can be told.
    pub fn not_after(&self) -> Option<i64> {
        Some(self.not_after.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// What a connection that begins now uses.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }
}

fn not_after(settings: &Server) -> Option<i64> {
    let chain = certificates(settings.tls_certificate_file.as_deref()?).ok()?;
    let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
    Some(leaf.validity().not_after.timestamp())
}

/// The one provider of cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn config(settings: &Server) -> Result<Option<ServerConfig>, TlsError> {
    let (Some(certificate), Some(key)) = (&settings.tls_certificate_file, &settings.tls_key_file) else {
        return Ok(None);
    };
    let certified = certified_key(certificate, key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Config(e.to_string()))?;
    let builder = match client_verifier(settings)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

/// The certificate chain with its key; refuses a key that belongs to another certificate.
pub fn certified_key(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate)?;
    let der = PrivateKeyDer::from_pem_file(key).map_err(|e| file_error(key, &e))?;
    CertifiedKey::from_der(chain, der, &provider())
        .map_err(|e| TlsError::Config(format!("certificate and key do not work together: {e}")))
}

/// The certificates of a PEM file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|e| file_error(path, &e))?.collect();
    let certificates = certificates.map_err(|e| file_error(path, &e))?;
    if certificates.is_empty() {
        return Err(TlsError::File { path: path.to_owned(), message: "has no certificate".to_owned() });
    }
    Ok(certificates)
}

fn client_verifier(settings: &Server) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(path) = &settings.tls_client_ca_file else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|e| TlsError::File { path: path.clone(), message: e.to_string() })?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    if !settings.tls_require_client_certificate {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map(Some).map_err(|e| TlsError::Config(e.to_string()))
}

/// The DNS and URI subject alternative names of a certificate that was verified.
pub fn subject_alternative_names(certificate: &CertificateDer<'_>) -> Arc<[String]> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Arc::new([]);
    };
    let Ok(Some(extension)) = parsed.subject_alternative_name() else {
        return Arc::new([]);
    };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(text).collect()
}

fn file_error(path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    use rustls::pki_types::pem::Error;
    let message = match error {
        Error::NoItemsFound => "has no such item in PEM".to_owned(),
        Error::Io(e) => format!("cannot be read: {}", e.kind()),
        // The parser's own message may quote the file.
        _ => "is not valid PEM".to_owned(),
    };
    TlsError::File { path: path.to_owned(), message }
}
