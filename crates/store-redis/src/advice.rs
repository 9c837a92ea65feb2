//! What an operator should know of how Redis is set up.

use std::time::Duration;

use keyward_store::{StoreError, StoreResult};
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, cmd};

use crate::connector::sentinel;
use crate::link::{Link, Repeat, text};
use crate::settings::{Place, RedisSettings};

/// The oldest version whose commands are used.
const OLDEST_MAJOR_VERSION: u32 = 7;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Whether keyward does not work with it, rather than not as well as it could.
    pub broken: bool,
    /// What was found.
    pub text: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Advice {
    fn broken(text: impl Into<String>, remedy: &'static str) -> Self {
        Self { broken: true, text: text.into(), remedy }
    }

    fn better(text: impl Into<String>, remedy: &'static str) -> Self {
        Self { broken: false, text: text.into(), remedy }
    }
}

/// Looks at every server that is written to, and at those who watch it.
pub(crate) async fn look(link: &Link, settings: &RedisSettings) -> StoreResult<Vec<Advice>> {
    let mut found = Vec::new();
    if let Place::Sentinel { urls, master, .. } = &settings.place {
        found.extend(sentinels(settings, urls, master).await);
    }
    if matches!(settings.place, Place::Cluster { .. }) {
        found.extend(cluster(link).await?);
    }
    let mut ask = cmd("INFO");
    ask.arg("everything");
    let followed = !matches!(settings.place, Place::Standalone { .. });
    for info in asked::<Vec<String>>(link, &ask).await? {
        found.extend(server(&info, followed));
    }
    Ok(found)
}

/// One server that is written to, as its INFO shows it.
fn server(info: &str, followed: bool) -> Vec<Advice> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let mut found = Vec::new();
    let version = field("redis_version:").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < OLDEST_MAJOR_VERSION {
        found.push(Advice::broken(format!("speaks as Redis {version}"), "use Redis 7 or later, or Valkey"));
    }
    if field("role:") == Some("slave") {
        found
            .push(Advice::broken("is a replica, which takes no writes", "name the master, or its Sentinels"));
    }
    match field("maxmemory_policy:") {
        None | Some("noeviction") => {}
        Some(other) => found.push(Advice::better(
            format!(
                "maxmemory-policy is {other}: under memory pressure redis would forget used nonces and attempt counters"
            ),
            "set maxmemory-policy noeviction",
        )),
    }
    if followed && field("connected_slaves:") == Some("0") {
        found.push(Advice::better("a master has no replica: nobody can take over", "add a replica"));
    }
    // Shown only where a master asks for replicas before it takes a write.
    if followed && field("min_slaves_good_slaves:").is_none() {
        found.push(Advice::better(
            "a master that is cut off from its replicas goes on taking writes, which are lost when another takes over",
            "set min-replicas-to-write 1 and min-replicas-max-lag 10",
        ));
    }
    found
}

async fn cluster(link: &Link) -> StoreResult<Vec<Advice>> {
    let mut ask = cmd("CLUSTER");
    ask.arg("INFO");
    let told = asked::<Vec<String>>(link, &ask).await?;
    let broken = told.iter().filter(|info| !info.contains("cluster_state:ok")).count();
    Ok(if broken == 0 {
        Vec::new()
    } else {
        vec![Advice::broken(
            format!("{broken} of {} masters say that the cluster is down", told.len()),
            "look at CLUSTER INFO and CLUSTER NODES",
        )]
    })
}

async fn sentinels(settings: &RedisSettings, urls: &[String], master: &str) -> Vec<Advice> {
    let mut ask = cmd("SENTINEL");
    ask.arg("CKQUORUM").arg(master);
    let (mut found, mut silent) = (Vec::new(), 0);
    for url in urls {
        match ask_sentinel(settings, url, &ask).await {
            Ok(()) => {}
            Err(error) if error.code() == Some("NOQUORUM") => found.push(Advice::broken(
                "the Sentinels that are left cannot agree on another master",
                "start more of them; three are the least that outlive the loss of one",
            )),
            Err(error) if error.code().is_some() => found.push(Advice::broken(
                format!("a Sentinel refuses: {}", text(&error)),
                "look at redis.sentinel_master, and at the Sentinels' user and password",
            )),
            Err(_) => silent += 1,
        }
    }
    if silent > 0 {
        let told = format!("{silent} of {} Sentinels do not answer", urls.len());
        found.push(Advice::better(told, "start them, or correct redis.nodes"));
    }
    if urls.len() < 3 {
        found.push(Advice::better(
            format!("{} Sentinels are named", urls.len()),
            "name all of them: keyward finds the master only through those",
        ));
    }
    found.dedup();
    found
}

async fn ask_sentinel(settings: &RedisSettings, url: &str, ask: &Cmd) -> redis::RedisResult<()> {
    let within = Some(settings.connect_timeout.max(Duration::from_millis(100)));
    let config = AsyncConnectionConfig::new().set_connection_timeout(within).set_response_timeout(within);
    let client =
        sentinel(settings, url).map_err(|_| (redis::ErrorKind::InvalidClientConfig, "not usable"))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    ask.query_async(&mut connection).await
}

async fn asked<T: FromRedisValue>(link: &Link, ask: &Cmd) -> StoreResult<T> {
    let answers = link.ask_all(Repeat::Safe, ask).await?;
    redis::from_redis_value(answers).map_err(|_| StoreError::Damaged("redis answered no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_judged_by_what_it_says_of_itself() {
        let good = "redis_version:7.0.15\r\nrole:master\r\nconnected_slaves:1\r\nmin_slaves_good_slaves:1\r\n\
                    maxmemory_policy:noeviction\r\n";
        assert_eq!(server(good, true), []);
        let alone = "redis_version:7.0.15\r\nrole:master\r\nconnected_slaves:0\r\n";
        assert_eq!(server(alone, false), []);
        assert_eq!(server(alone, true).iter().filter(|advice| !advice.broken).count(), 2);
        let bad = "redis_version:6.2.1\r\nrole:slave\r\nmaxmemory_policy:allkeys-lru\r\n";
        let found = server(bad, false);
        assert_eq!(found.iter().map(|advice| advice.broken).collect::<Vec<_>>(), [true, true, false]);
        assert!(found[2].text.contains("allkeys-lru"), "{found:?}");
    }
}
