//! From settings to connections, in each of Redis's three forms.

use keyward_store::StoreResult;
use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisResult, TlsCertificates, TlsMode, Value,
};
use secrecy::ExposeSecret;

use crate::settings::{Place, RedisSettings, refused};

/// How often a cluster's client sends a command again within its time, after a redirection or a lost connection.
const CLUSTER_RETRIES: u32 = 8;
/// How long it waits before it does, in milliseconds: at least, and at most.
const CLUSTER_RETRY_WAIT_MS: (u64, u64) = (5, 50);

/// Makes connections.
pub(crate) struct Connector {
    form: Form,
    config: AsyncConnectionConfig,
}

enum Form {
    Standalone(Box<Client>),
    Sentinel(Box<RedisSettings>),
    Cluster(Box<ClusterClient>),
}

/// A connection that all calls share.
#[derive(Clone)]
pub(crate) enum Connection {
    /// To one server: the only one, or the master.
    One(MultiplexedConnection),
    /// To each node of a cluster.
    Cluster(ClusterConnection),
}

impl Connector {
    /// Checks the settings; connects nowhere.
    pub(crate) fn new(settings: &RedisSettings) -> StoreResult<Self> {
        settings.check_prefix()?;
        let form = match &settings.place {
            Place::Standalone { url } => Form::Standalone(Box::new(standalone(settings, url)?)),
            Place::Sentinel { .. } => {
                sentinels(settings)?;
                Form::Sentinel(Box::new(settings.clone()))
            }
            Place::Cluster { urls } => Form::Cluster(Box::new(cluster(settings, urls)?)),
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            // The link bounds each call.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(settings.concurrency_limit)
            .set_concurrency_limit(settings.concurrency_limit);
        Ok(Self { form, config })
    }

    /// Whether keys are spread over several servers.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.form, Form::Cluster(_))
    }

    pub(crate) async fn connect(&self) -> RedisResult<Connection> {
        match &self.form {
            Form::Standalone(client) => self.to_server(client).await,
            // Asked each time: which server is the master is what may have changed.
            Form::Sentinel(settings) => {
                let mut sentinels = sentinels(settings).map_err(|_| unusable())?;
                self.to_server(&sentinels.async_get_client().await?).await
            }
            Form::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }

    async fn to_server(&self, client: &Client) -> RedisResult<Connection> {
        client.get_multiplexed_async_connection_with_config(&self.config).await.map(Connection::One)
    }
}

impl Connection {
    /// Sends a command to the server, or to the node that holds the slot.
    pub(crate) async fn send(&mut self, command: &Cmd, slot: u16) -> RedisResult<Value> {
        let answer = match self {
            Self::One(connection) => connection.send_packed_command(command).await,
            Self::Cluster(connection) => {
                let node = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
                connection.route_command(command.clone(), RoutingInfo::SingleNode(node)).await
            }
        };
        answer?.extract_error()
    }

    /// Sends a command to the server, or to every master of a cluster. All answers.
    pub(crate) async fn send_to_all(&mut self, command: &Cmd) -> RedisResult<Vec<Value>> {
        match self {
            Self::One(_) => self.send(command, 0).await.map(|answer| vec![answer]),
            Self::Cluster(connection) => {
                let nodes = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                match connection.route_command(command.clone(), nodes).await? {
                    Value::Map(answers) => {
                        answers.into_iter().map(|(_, answer)| answer.extract_error()).collect()
                    }
                    other => other.extract_error().map(|answer| vec![answer]),
                }
            }
        }
    }
}

fn standalone(settings: &RedisSettings, url: &str) -> StoreResult<Client> {
    let info = complete(settings, info(url)?);
    match certificates(settings) {
        None => Client::open(info).map_err(|_| refused("the url is not usable")),
        Some(certificates) => Client::build_with_tls(info, certificates)
            .map_err(|_| refused("certificates need a rediss:// url and must be PEM")),
    }
}

fn cluster(settings: &RedisSettings, urls: &[String]) -> StoreResult<ClusterClient> {
    let mut nodes = Vec::with_capacity(urls.len());
    for url in urls {
        let node = info(url)?;
        if node.redis_settings().db() != 0 {
            return Err(refused("a cluster has no database but 0"));
        }
        nodes.push(complete(settings, node));
    }
    let secure = nodes.iter().any(|node| is_tls(node.addr()));
    let (wait_least, wait_most) = CLUSTER_RETRY_WAIT_MS;
    let mut builder = ClusterClientBuilder::new(nodes)
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(wait_least)
        .max_retry_wait(wait_most)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.response_timeout)
        // The link bounds each call.
        .overall_response_timeout(None)
        .connection_concurrency_limit(settings.concurrency_limit)
        .tcp_settings(tcp(settings));
    if let Some(certificates) = certificates(settings) {
        if !secure {
            return Err(refused("certificates need rediss:// urls"));
        }
        builder = builder.certs(certificates);
    }
    builder
        .build()
        .map_err(|_| refused("the nodes' urls must agree in all but host and port, and certificates be PEM"))
}

/// A client of the Sentinels, which finds the master.
pub(crate) fn sentinels(settings: &RedisSettings) -> StoreResult<SentinelClient> {
    let Place::Sentinel { urls, master, database, login } = &settings.place else {
        return Err(refused("no sentinels"));
    };
    if urls.is_empty() || master.is_empty() {
        return Err(refused("sentinels need addresses and the master's name"));
    }
    let addresses: StoreResult<Vec<ConnectionAddr>> =
        urls.iter().map(|url| info(url).map(|info| info.addr().clone())).collect();
    let addresses = addresses?;
    let tls = addresses.iter().filter(|address| is_tls(address)).count();
    if tls != 0 && tls != addresses.len() {
        return Err(refused("either all sentinels or none must have rediss:// urls"));
    }
    let not_usable = |_| refused("the sentinels' urls are not usable, or certificates are not PEM");
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)
        .map_err(not_usable)?
        .set_client_to_redis_db(*database)
        .set_client_to_redis_tcp_settings(tcp(settings))
        .set_client_to_sentinel_tcp_settings(tcp(settings));
    if tls != 0 {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    match certificates(settings) {
        Some(_) if tls == 0 => return Err(refused("certificates need rediss:// urls")),
        Some(certificates) => {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates);
        }
        None => {}
    }
    if let Some(username) = &settings.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password.expose_secret());
    }
    if let Some((username, password)) = login {
        if let Some(username) = username {
            builder = builder.set_client_to_sentinel_username(username);
        }
        builder = builder.set_client_to_sentinel_password(password.expose_secret());
    }
    builder.build().map_err(not_usable)
}

/// A client of one Sentinel.
pub(crate) fn sentinel(settings: &RedisSettings, url: &str) -> StoreResult<Client> {
    let Place::Sentinel { login, .. } = &settings.place else {
        return Err(refused("no sentinels"));
    };
    let (username, password) = login.clone().map_or((None, None), |(name, password)| (name, Some(password)));
    standalone(&RedisSettings { username, password, ..settings.clone() }, url)
}

fn info(url: &str) -> StoreResult<ConnectionInfo> {
    let info = url.into_connection_info().map_err(|_| refused("the url is not a redis url"))?;
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(refused("a url that switches certificate checks off is not accepted"));
    }
    Ok(info)
}

/// Adds the login and how sockets are set up.
fn complete(settings: &RedisSettings, info: ConnectionInfo) -> ConnectionInfo {
    let mut login = info.redis_settings().clone();
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.expose_secret());
    }
    info.set_redis_settings(login).set_tcp_settings(tcp(settings))
}

/// A peer that vanished without a word is noticed by the kernel, too, when nothing acknowledges what was sent.
fn tcp(settings: &RedisSettings) -> TcpSettings {
    TcpSettings::default().set_nodelay(true).set_user_timeout(settings.response_timeout * 4)
}

fn certificates(settings: &RedisSettings) -> Option<TlsCertificates> {
    if settings.root_certificates_pem.is_none() && settings.client_certificate.is_none() {
        return None;
    }
    Some(TlsCertificates {
        client_tls: settings.client_certificate.as_ref().map(|own| ClientTlsConfig {
            client_cert: own.certificate_pem.clone(),
            client_key: own.private_key_pem.expose_secret().as_bytes().to_vec(),
        }),
        root_cert: settings.root_certificates_pem.clone(),
    })
}

const fn is_tls(address: &ConnectionAddr) -> bool {
    matches!(address, ConnectionAddr::TcpTls { .. })
}

/// Settings that were good once are good again; this cannot happen.
fn unusable() -> redis::RedisError {
    (redis::ErrorKind::InvalidClientConfig, "the sentinels' settings are not usable").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(settings: &RedisSettings) -> bool {
        Connector::new(settings).is_err()
    }

    #[test]
    fn neither_debug_nor_errors_tell_a_password() {
        let mut settings = RedisSettings::new("redis://user:hunter2@localhost:6379/0");
        settings.password = Some("hunter2".to_owned().into());
        assert!(!is_refused(&settings));
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        settings.place = Place::Cluster { urls: vec!["http://user:hunter2@localhost".to_owned()] };
        assert!(!format!("{settings:?} {:?}", settings.place).contains("hunter2"), "{settings:?}");
        let Err(error) = Connector::new(&settings) else { panic!("not a redis url") };
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        assert!(is_refused(&RedisSettings::new("rediss://localhost/#insecure")), "certificate checks off");
        let mut settings = RedisSettings::new("redis://localhost");
        settings.key_prefix = "a{b}".to_owned();
        assert!(is_refused(&settings), "braces in the prefix would move every key into one slot");
        for mut settings in [
            RedisSettings::new("redis://localhost"),
            RedisSettings::sentinel(vec!["redis://localhost:26379".to_owned()], "m"),
            RedisSettings::cluster(vec!["redis://localhost:6379".to_owned()]),
        ] {
            assert!(!is_refused(&settings));
            settings.root_certificates_pem = Some(b"x".to_vec());
            assert!(is_refused(&settings), "certificates for a connection without TLS: {settings:?}");
        }
        assert!(is_refused(&RedisSettings::cluster(vec!["redis://localhost:6379/1".to_owned()])));
        assert!(is_refused(&RedisSettings::cluster(vec![])));
        assert!(is_refused(&RedisSettings::sentinel(vec![], "m")));
        let mixed = ["redis://a:1", "rediss://b:1"].map(str::to_owned).to_vec();
        assert!(is_refused(&RedisSettings::sentinel(mixed.clone(), "m")));
        assert!(is_refused(&RedisSettings::cluster(mixed)));
    }
}
