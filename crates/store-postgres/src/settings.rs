//! How to reach PostgreSQL.

use std::fmt;
use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How to reach PostgreSQL. Start from [`PostgresSettings::new`].
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user@host:port/database`. Without password and without parameters: those have fields of their own.
    pub url: String,
    /// The password.
    pub password: Option<SecretString>,
    /// Whether and how the connection is encrypted. `VerifyFull` unless told otherwise.
    pub tls: Tls,
    /// The certificates (PEM) that sign the server's; without them the public ones that Mozilla trusts.
    pub root_certificates_pem: Option<Vec<u8>>,
    /// What to show the server, where it asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// Connections at once, at most. 8 unless told otherwise.
    pub pool_size: u32,
    /// How long to wait for a connection: for a free one, or for a new one. 1 s unless told otherwise.
    pub connect_timeout: Duration,
    /// How long one statement may take. 1 s unless told otherwise. The server ends it then, too.
    pub response_timeout: Duration,
}

/// Whether and how the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Plaintext: for a socket of this machine, or a network that encrypts by itself.
    Off,
    /// Encrypted to a server whose certificate a known authority signed, whatever name it bears.
    VerifyCa,
    /// The same, and the certificate bears the host name of the URL.
    VerifyFull,
}

/// A client certificate with its key.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The certificate and its chain (PEM).
    pub certificate_pem: Vec<u8>,
    /// The private key (PEM).
    pub private_key_pem: SecretString,
}

impl PostgresSettings {
    /// Settings for this URL, all else as documented at the fields.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            tls: Tls::VerifyFull,
            root_certificates_pem: None,
            client_certificate: None,
            pool_size: 8,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
        }
    }

    /// The settings as sqlx takes them.
    pub(crate) fn options(&self) -> StoreResult<PgConnectOptions> {
        if self.url.contains('?') {
            return Err(refused("the url must carry no parameters: they have keys of their own"));
        }
        let parsed = ["postgres://", "postgresql://"].iter().any(|scheme| self.url.starts_with(scheme));
        let parsed = if parsed { self.url.parse().ok() } else { None };
        let options: PgConnectOptions = parsed.ok_or_else(|| refused("the url is not a postgres url"))?;
        let mut options = options
            .ssl_mode(match self.tls {
                Tls::Off => PgSslMode::Disable,
                Tls::VerifyCa => PgSslMode::VerifyCa,
                Tls::VerifyFull => PgSslMode::VerifyFull,
            })
            .application_name("keyward")
            .disable_statement_logging();
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        if let Some(roots) = &self.root_certificates_pem {
            options = options.ssl_root_cert_from_pem(roots.clone());
        }
        if let Some(own) = &self.client_certificate {
            options = options
                .ssl_client_cert_from_pem(&own.certificate_pem)
                .ssl_client_key_from_pem(own.private_key_pem.expose_secret());
        }
        Ok(options)
    }
}

/// Nothing of the settings is in the text: a URL may hold a password.
fn refused(why: &str) -> StoreError {
    StoreError::Unavailable(format!("postgres settings: {why}"))
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("url", &self.url.rsplit('@').next().unwrap_or_default())
            .field("tls", &self.tls)
            .field("pool_size", &self.pool_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_errors_tell_a_password() {
        let mut settings = PostgresSettings::new("postgres://keyward:hunter2@localhost:5432/keyward");
        settings.password = Some("hunter2".to_owned().into());
        assert!(settings.options().is_ok());
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        for url in
            ["http://keyward:hunter2@localhost", "postgres://keyward:hunter2@localhost/k?sslmode=disable"]
        {
            settings.url = url.to_owned();
            let error = settings.options().expect_err("not to be accepted").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
