//! How to reach Redis.

use std::fmt;
use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use secrecy::SecretString;

/// How to reach Redis. Start from [`RedisSettings::new`], [`RedisSettings::sentinel`] or [`RedisSettings::cluster`].
#[derive(Clone)]
pub struct RedisSettings {
    /// Where it is, and in which form.
    pub place: Place,
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The certificates (PEM) that sign the servers'; without them the public ones that Mozilla trusts.
    pub root_certificates_pem: Option<Vec<u8>>,
    /// What to show the servers, where they ask for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How long one call may take, the wait for a connection included. 500 ms unless told otherwise.
    pub response_timeout: Duration,
    /// How long connecting may take: asking Sentinels, TLS, the login. Calls meanwhile wait no longer than for an answer.
    /// A second unless told otherwise.
    pub connect_timeout: Duration,
    /// How many commands may be under way at once on a connection; further ones wait, within their time. 1024 unless told
    /// otherwise.
    pub concurrency_limit: usize,
    /// What every key begins with; 1 to 32 letters, digits, `-` or `_`. `keyward` unless told otherwise.
    pub key_prefix: String,
}

/// Where Redis is, and in which form. Addresses are `redis://host:port` (in a cluster and of Sentinels, the port must not be
/// left out), or `rediss://…` for TLS. User and password may stand in them; better they come from files, in
/// [`RedisSettings`].
#[derive(Clone)]
pub enum Place {
    /// One server.
    Standalone {
        /// `redis://host:port/db`, `rediss://…`, or `unix:///path`.
        url: String,
    },
    /// A master that Sentinels watch. With `rediss://`, the master speaks TLS as well.
    Sentinel {
        /// The Sentinels; some of them may be down.
        urls: Vec<String>,
        /// The name under which they watch the master.
        master: String,
        /// The master's database.
        database: i64,
        /// The Sentinels' own user and password, where they ask for one.
        login: Option<(Option<String>, SecretString)>,
    },
    /// A cluster.
    Cluster {
        /// Some of its nodes, from which the others are learned.
        urls: Vec<String>,
    },
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
    /// Settings for the one server at this URL, all else as documented at the fields.
    pub fn new(url: impl Into<String>) -> Self {
        Self::at(Place::Standalone { url: url.into() })
    }

    /// Settings for the master that these Sentinels know by this name.
    pub fn sentinel(urls: Vec<String>, master: impl Into<String>) -> Self {
        Self::at(Place::Sentinel { urls, master: master.into(), database: 0, login: None })
    }

    /// Settings for the cluster that these nodes belong to.
    pub fn cluster(urls: Vec<String>) -> Self {
        Self::at(Place::Cluster { urls })
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            username: None,
            password: None,
            root_certificates_pem: None,
            client_certificate: None,
            response_timeout: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(1),
            concurrency_limit: 1024,
            key_prefix: "keyward".to_owned(),
        }
    }

    pub(crate) fn check_prefix(&self) -> StoreResult<()> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if matches!(self.key_prefix.len(), 1..=32) && self.key_prefix.bytes().all(legal) {
            return Ok(());
        }
        Err(refused("the key prefix must be 1 to 32 letters, digits, '-' or '_'"))
    }
}

impl Place {
    /// The addresses without what could be a password.
    fn addresses(&self) -> Vec<&str> {
        let urls = match self {
            Self::Standalone { url } => std::slice::from_ref(url),
            Self::Sentinel { urls, .. } | Self::Cluster { urls } => urls,
        };
        urls.iter().map(|url| url.rsplit('@').next().unwrap_or_default()).collect()
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Standalone { .. } => "standalone",
            Self::Sentinel { .. } => "sentinel",
            Self::Cluster { .. } => "cluster",
        }
    }
}

/// Nothing of the settings is in the text: a URL may hold a password.
pub(crate) fn refused(why: &str) -> StoreError {
    StoreError::Unavailable(format!("redis settings: {why}"))
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("form", &self.place.name())
            .field("addresses", &self.place.addresses())
            .field("response_timeout", &self.response_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("concurrency_limit", &self.concurrency_limit)
            .field("key_prefix", &self.key_prefix)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.name()).field(&self.addresses()).finish()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}
