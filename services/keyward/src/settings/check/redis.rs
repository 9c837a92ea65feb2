//! What must hold between the keys of `[redis]`.

use super::Problems;
use crate::settings::{Redis, RedisMode};

pub(super) fn check(redis: &Redis, used: bool, problems: &mut Problems) {
    form(redis, used, problems);
    sentinels(redis, problems);
    for (key, url) in urls(redis) {
        address(&key, url, redis.mode, problems);
    }
    tls(redis, problems);
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    problems.when(
        !matches!(redis.key_prefix.len(), 1..=32) || !redis.key_prefix.bytes().all(legal),
        "redis.key_prefix must be 1 to 32 letters, digits, \"-\" or \"_\"",
    );
}

/// What each mode needs, and what means nothing in it.
fn form(redis: &Redis, used: bool, problems: &mut Problems) {
    let (url, nodes) = (redis.url.is_some(), !redis.nodes.is_empty());
    match redis.mode {
        RedisMode::Standalone => {
            problems.when(used && !url, "store.hot is \"redis\": set redis.url");
            problems.when(
                nodes,
                "redis.nodes means nothing in redis.mode \"standalone\": set redis.url, or the mode",
            );
            problems.when(
                redis.database.is_some(),
                "redis.database: in redis.mode \"standalone\" the database stands in redis.url",
            );
        }
        RedisMode::Sentinel => {
            problems.when(!nodes, "redis.mode is \"sentinel\": set redis.nodes to the Sentinels");
            problems.when(
                redis.sentinel_master.as_ref().is_none_or(String::is_empty),
                "redis.mode is \"sentinel\": set redis.sentinel_master to the name that the Sentinels know",
            );
        }
        RedisMode::Cluster => {
            problems.when(!nodes, "redis.mode is \"cluster\": set redis.nodes to some of its nodes");
            problems.when(
                redis.database.is_some_and(|database| database != 0),
                "redis.database: a cluster has no database but 0",
            );
        }
    }
    problems.when(
        url && redis.mode != RedisMode::Standalone,
        "redis.url is for redis.mode \"standalone\": set redis.nodes",
    );
}

fn sentinels(redis: &Redis, problems: &mut Problems) {
    let keys = [
        ("redis.sentinel_master", redis.sentinel_master.is_some()),
        ("redis.sentinel_username", redis.sentinel_username.is_some()),
        ("redis.sentinel_password_file", redis.sentinel_password_file.is_some()),
    ];
    for (key, set) in keys {
        if set && redis.mode != RedisMode::Sentinel {
            problems.add(format!("{key} needs redis.mode \"sentinel\""));
        }
    }
    problems.when(
        redis.sentinel_username.is_some() && redis.sentinel_password_file.is_none(),
        "redis.sentinel_username needs redis.sentinel_password_file",
    );
}

fn urls(redis: &Redis) -> impl Iterator<Item = (String, &str)> {
    let nodes = redis.nodes.iter().enumerate().map(|(at, url)| (format!("redis.nodes[{at}]"), url.as_str()));
    redis.url.iter().map(|url| ("redis.url".to_owned(), url.as_str())).chain(nodes)
}

/// Nothing of the address is repeated: a password may stand in it.
fn address(key: &str, url: &str, mode: RedisMode, problems: &mut Problems) {
    let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"));
    if rest.is_none() {
        problems.add(format!("{key} must begin with redis:// or rediss://"));
    }
    if url.contains('@') {
        problems.add(format!("{key} must carry no user and password: use redis.password_file"));
    }
    if mode != RedisMode::Standalone && rest.is_some_and(|rest| rest.trim_end_matches('/').contains('/')) {
        problems.add(format!("{key} must be host and port alone"));
    }
}

fn tls(redis: &Redis, problems: &mut Problems) {
    let secure = urls(redis).filter(|(_, url)| url.starts_with("rediss://")).count();
    let all = urls(redis).count();
    problems.when(
        secure != 0 && secure != all,
        "redis.nodes must all begin with redis://, or all with rediss://",
    );
    let keys = [
        ("redis.tls_ca_file", redis.tls_ca_file.is_some()),
        ("redis.tls_certificate_file", redis.tls_certificate_file.is_some()),
    ];
    for (key, set) in keys {
        if set && secure == 0 {
            problems.add(format!("{key} needs an address that begins with rediss://"));
        }
    }
    problems.when(
        redis.tls_certificate_file.is_some() != redis.tls_key_file.is_some(),
        "redis.tls_certificate_file and redis.tls_key_file go together",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{HotStore, Settings};

    fn problems(change: impl FnOnce(&mut Redis)) -> Vec<String> {
        let mut settings = Settings::defaults();
        settings.store.hot = HotStore::Redis;
        change(&mut settings.redis);
        settings.problems()
    }

    fn begins(found: &[String], expected: &[&str]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (problem, start) in found.iter().zip(expected) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    fn nodes(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn each_mode_has_what_it_needs() {
        begins(&problems(|r| r.url = Some("redis://h:6379/2".to_owned())), &[]);
        begins(&problems(|_| {}), &["store.hot is"]);
        begins(&problems(|r| r.mode = RedisMode::Cluster), &["redis.mode is \"cluster\""]);
        let sentinel = |r: &mut Redis| {
            r.mode = RedisMode::Sentinel;
            r.nodes = nodes(&["redis://a:26379", "redis://b:26379/"]);
        };
        begins(&problems(sentinel), &["redis.mode is \"sentinel\": set redis.sentinel_master"]);
        let named = |r: &mut Redis| {
            sentinel(r);
            r.sentinel_master = Some("keyward".to_owned());
            r.database = Some(3);
        };
        begins(&problems(named), &[]);
        begins(
            &problems(|r| {
                named(r);
                r.mode = RedisMode::Cluster;
            }),
            &["redis.database", "redis.sentinel_master needs"],
        );
    }

    #[test]
    fn what_means_nothing_in_a_mode_is_refused() {
        begins(
            &problems(|r| {
                r.url = Some("redis://h".to_owned());
                r.nodes = nodes(&["redis://h:1"]);
                r.database = Some(0);
            }),
            &["redis.nodes means nothing", "redis.database: in"],
        );
        begins(
            &problems(|r| {
                r.mode = RedisMode::Cluster;
                r.nodes = nodes(&["redis://h:1/2", "rediss://h:2", "http://:hunter2@h"]);
                r.url = Some("redis://h".to_owned());
            }),
            &[
                "redis.url is for",
                "redis.nodes[0] must be host and port",
                "redis.nodes[2] must begin",
                "redis.nodes[2] must carry no user",
                "redis.nodes must all",
            ],
        );
        begins(
            &problems(|r| {
                r.url = Some("redis://h".to_owned());
                r.tls_ca_file = Some("ca.pem".into());
                r.tls_key_file = Some("key.pem".into());
                r.key_prefix = "a{b}".to_owned();
            }),
            &["redis.tls_ca_file needs", "redis.tls_certificate_file and", "redis.key_prefix"],
        );
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let found = problems(|r| r.url = Some("redis://:hunter2@host".to_owned()));
        begins(&found, &["redis.url must carry no user"]);
        assert!(found[0].contains("redis.password_file") && !found[0].contains("hunter2"), "{found:?}");
    }
}
