//! How to reach Redis.

use std::fmt;
use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use redis::aio::ConnectionManagerConfig;
use redis::io::tcp::TcpSettings;
use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};

/// How to reach Redis. Start from [`RedisSettings::new`].
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://host:port/db`, `rediss://…` for TLS, or `unix:///path`. User and password may stand in it; better they
    /// come from files, in the fields below, which go before it.
    pub url: String,
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The certificates (PEM) that sign the server's; without them the public ones that Mozilla trusts.
    pub root_certificates_pem: Option<Vec<u8>>,
    /// What to show the server, where it asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How long one call may take, connecting included. 500 ms unless told otherwise.
    pub response_timeout: Duration,
    /// How many commands may be under way at once; further ones wait, within their time. 1024 unless told otherwise.
    pub concurrency_limit: usize,
    /// What every key begins with; 1 to 32 letters, digits, `-` or `_`. `keyward` unless told otherwise.
    pub key_prefix: String,
}

/// A client certificate with its key.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The certificate and its chain (PEM).
    pub certificate_pem: Vec<u8>,
    /// The private key (PEM).
    pub private_key_pem: SecretString,
}

impl RedisSettings {
    /// Settings for this URL, all else as documented at the fields.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            root_certificates_pem: None,
            client_certificate: None,
            response_timeout: Duration::from_millis(500),
            concurrency_limit: 1024,
            key_prefix: "keyward".to_owned(),
        }
    }

    /// Checks the settings and makes the client, which does not connect yet.
    pub(crate) fn client(&self) -> StoreResult<Client> {
        self.check_prefix()?;
        let info =
            self.url.as_str().into_connection_info().map_err(|_| refused("the url is not a redis url"))?;
        let info = self.complete(info)?;
        if self.root_certificates_pem.is_none() && self.client_certificate.is_none() {
            return Client::open(info).map_err(|_| refused("the url is not usable"));
        }
        Client::build_with_tls(info, self.certificates())
            .map_err(|_| refused("certificates need a rediss:// url and must be PEM"))
    }

    pub(crate) fn manager(&self) -> ConnectionManagerConfig {
        ConnectionManagerConfig::new()
            .set_response_timeout(Some(self.response_timeout))
            .set_connection_timeout(Some(self.response_timeout))
            // One attempt a call: who waits for the next is decided by the breaker, not by a backoff within the call.
            .set_number_of_retries(0)
            .set_pipeline_buffer_size(self.concurrency_limit)
            .set_concurrency_limit(self.concurrency_limit)
    }

    fn check_prefix(&self) -> StoreResult<()> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if matches!(self.key_prefix.len(), 1..=32) && self.key_prefix.bytes().all(legal) {
            return Ok(());
        }
        Err(refused("the key prefix must be 1 to 32 letters, digits, '-' or '_'"))
    }

    fn complete(&self, info: ConnectionInfo) -> StoreResult<ConnectionInfo> {
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(refused("a url that switches certificate checks off is not accepted"));
        }
        let mut login = info.redis_settings().clone();
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password.expose_secret());
        }
        // A peer that vanished without a word is noticed by the kernel, too, when nothing acknowledges what was sent.
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(self.response_timeout * 4);
        Ok(info.set_redis_settings(login).set_tcp_settings(tcp))
    }

    fn certificates(&self) -> TlsCertificates {
        TlsCertificates {
            client_tls: self.client_certificate.as_ref().map(|own| ClientTlsConfig {
                client_cert: own.certificate_pem.clone(),
                client_key: own.private_key_pem.expose_secret().as_bytes().to_vec(),
            }),
            root_cert: self.root_certificates_pem.clone(),
        }
    }
}

/// Nothing of the settings is in the text: a URL may hold a password.
fn refused(why: &str) -> StoreError {
    StoreError::Unavailable(format!("redis settings: {why}"))
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("url", &self.url.rsplit('@').next().unwrap_or_default())
            .field("response_timeout", &self.response_timeout)
            .field("concurrency_limit", &self.concurrency_limit)
            .field("key_prefix", &self.key_prefix)
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
        let mut settings = RedisSettings::new("redis://user:hunter2@localhost:6379/0");
        settings.password = Some("hunter2".to_owned().into());
        assert!(settings.client().is_ok());
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        settings.url = "http://user:hunter2@localhost".to_owned();
        let error = settings.client().expect_err("not a redis url").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let mut settings = RedisSettings::new("rediss://localhost/#insecure");
        assert!(settings.client().is_err(), "certificate checks off");
        settings = RedisSettings::new("redis://localhost");
        settings.key_prefix = "a{b}".to_owned();
        assert!(settings.client().is_err(), "braces in the prefix would move every key into one slot");
        settings = RedisSettings::new("redis://localhost");
        settings.root_certificates_pem = Some(b"x".to_vec());
        assert!(settings.client().is_err(), "certificates for a connection without TLS");
    }
}
