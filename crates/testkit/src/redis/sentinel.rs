//! A master with replicas, and the Sentinels that watch them.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::server::{RedisServer, StartError};
use super::{hold, until};

/// How many Sentinels watch; two of them agree that a master is down.
const SENTINELS: usize = 3;

/// A master, replicas and three Sentinels, each a process of its own. Dropping it ends them all.
///
/// A fail-over is certain to be possible when `start` returns: the replicas are in sync, and each Sentinel knows them and
/// the other Sentinels. What makes fail-overs in tests fail now and then, and is dealt with here:
///
/// - A replica waits five seconds for its first synchronisation (`repl-diskless-sync-delay`), and until then there is nobody
///   who could follow the master.
/// - Sentinels promote only a replica whose `INFO` they got within the last five pings (five seconds), and as long as they
///   take the master to be well they ask every ten seconds. Where a master counts as down earlier than that, it is chance
///   whether a replica is good enough; where none is, they try again after twice the fail-over timeout, which is minutes.
///   Here they ask twice a second (`SENTINEL DEBUG`), and pings are far enough apart that an answer stays new enough.
/// - A Sentinel that did not run for two seconds, because the machine was busy, does nothing for thirty (TILT). Here, for one.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// The name under which the Sentinels know the master.
    pub const MASTER: &'static str = "keyward";

    /// Starts a master with so many replicas, and three Sentinels.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(replicas: usize) -> Result<Self, StartError> {
        let master = RedisServer::start_with(|_| data(None)).await?;
        let address = master.address();
        let mut servers = vec![master];
        for _ in 0..replicas {
            servers.push(RedisServer::start_with(|_| data(Some(address))).await?);
        }
        let mut all = Self { servers, sentinels: Vec::new() };
        all.wait_for_replicas().await?;
        for _ in 0..SENTINELS {
            all.sentinels.push(RedisServer::start_as(true, None, |_| Vec::new()).await?);
        }
        all.watch(address).await?;
        Ok(all)
    }

    /// The Sentinels' addresses.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The servers, master and replicas, in the order in which they were started.
    pub fn servers(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    /// The Sentinels.
    pub fn sentinels(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }

    /// The server that the first Sentinel says is the master.
    ///
    /// # Errors
    /// When it does not say so.
    pub async fn master(&mut self) -> std::io::Result<&mut RedisServer> {
        let line = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Self::MASTER);
        let said = self.sentinels[0].text(&line).await?;
        let found = self.servers.iter_mut().find(|server| {
            let port = server.address().port().to_string();
            said.lines().any(|line| line == port)
        });
        found.ok_or_else(|| std::io::Error::other(said))
    }

    /// Waits until every Sentinel names a master that runs and is not `old`, and it takes writes.
    ///
    /// # Errors
    /// [`StartError::NotYet`].
    pub async fn wait_for_another_master(&self, old: SocketAddr) -> Result<(), StartError> {
        until("failed over", || async {
            let line = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Self::MASTER);
            let mut named = Vec::new();
            for sentinel in &self.sentinels {
                named.push(sentinel.text(&line).await.map_err(|e| e.to_string())?);
            }
            let port = named[0].lines().nth(4).and_then(|line| line.parse::<u16>().ok());
            let agreed = port.is_some() && port != Some(old.port()) && named.iter().all(|n| *n == named[0]);
            hold(agreed, &format!("{named:?}"))?;
            let master = self.servers.iter().find(|server| Some(server.address().port()) == port);
            let master = master.ok_or_else(|| "an unknown master".to_owned())?;
            let role = master.text("ROLE").await.map_err(|e| e.to_string())?;
            hold(role.contains("master"), &role)
        })
        .await
    }

    async fn wait_for_replicas(&self) -> Result<(), StartError> {
        let (master, replicas) = self.servers.split_first().expect("there is a master");
        until("in sync", || async {
            let info = master.text("INFO replication").await.map_err(|e| e.to_string())?;
            hold(info.matches("state=online").count() == replicas.len(), &info)
        })
        .await
    }

    /// Waits until every replica has what the master was told before.
    ///
    /// # Errors
    /// [`StartError::NotYet`].
    pub async fn wait_for_sync(&mut self) -> Result<(), StartError> {
        let replicas = self.servers.iter().filter(|server| server.runs()).count() - 1;
        let master = self.master().await?;
        let now = offsets(&master.text("INFO replication").await?, "master_repl_offset:");
        let now = now.first().copied().unwrap_or(u64::MAX);
        until("in sync", || async {
            let info = master.text("INFO replication").await.map_err(|e| e.to_string())?;
            let there = offsets(&info, ",offset=").into_iter().filter(|offset| *offset >= now).count();
            hold(there == replicas, &info)
        })
        .await
    }

    /// Has the Sentinels watch the master, and waits until they know everyone.
    async fn watch(&self, master: SocketAddr) -> Result<(), StartError> {
        let name = Self::MASTER;
        for sentinel in &self.sentinels {
            for line in [
                "SENTINEL DEBUG info-period 500 ping-period 500 ask-period 100 publish-period 200 \
                 tilt-period 1000 election-timeout 1000 slave-reconf-timeout 2000"
                    .to_owned(),
                format!("SENTINEL MONITOR {name} {} {} 2", master.ip(), master.port()),
                format!("SENTINEL SET {name} down-after-milliseconds 1000"),
                // A fail-over that did not succeed is tried again after twice this.
                format!("SENTINEL SET {name} failover-timeout 3000"),
            ] {
                sentinel.text(&line).await?;
            }
        }
        until("known to every sentinel", || async {
            for sentinel in &self.sentinels {
                let ask = |line: String| async move { sentinel.text(&line).await.map_err(|e| e.to_string()) };
                let others = ask(format!("SENTINEL SENTINELS {name}")).await?;
                hold(others.matches("runid").count() == SENTINELS - 1, &others)?;
                let replicas = ask(format!("SENTINEL REPLICAS {name}")).await?;
                let in_sync = replicas.matches("master-link-status\r\n$2\r\nok").count();
                hold(in_sync == self.servers.len() - 1, &replicas)?;
                let quorum = ask(format!("SENTINEL CKQUORUM {name}")).await?;
                hold(quorum.starts_with("+OK"), &quorum)?;
            }
            Ok(())
        })
        .await
    }
}

/// The numbers that follow a label.
fn offsets(info: &str, label: &str) -> Vec<u64> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    info.split(label).skip(1).filter_map(|rest| digits(rest).parse().ok()).collect()
}

fn data(master: Option<SocketAddr>) -> Vec<OsString> {
    // Without this a replica waits five seconds for others before it is sent the data.
    let mut arguments: Vec<OsString> = ["--repl-diskless-sync-delay", "0"].map(OsString::from).to_vec();
    if let Some(master) = master {
        let master = format!("{} {}", master.ip(), master.port());
        arguments.extend(["--replicaof".into(), master.into()]);
    }
    arguments
}
