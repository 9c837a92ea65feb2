//! What an engine is put together from: policy, keys and stores, each opened as `serve` would open it.

use keyward_engine::KeyUsage;
use keyward_seal::KeyRing;
use keyward_store::{HotStore as _, StoreError};
use keyward_store_embedded::EmbeddedStore;
use keyward_store_postgres::{PostgresStore, SchemaState};
use keyward_store_redis::{Advice, RedisHot};

use super::Finding;
use crate::compose::{Durable, policy, postgres_settings, redis_settings};
use crate::settings::{DurableStore, HotStore, RedisMode, Settings};
use crate::{keys, secrets};

/// The policy parses and fits the schema.
pub(super) fn policies(settings: &Settings) -> Finding {
    let subject = match &settings.policy.file {
        Some(file) => format!("policy.file {}", file.display()),
        None => "policy (as shipped)".to_owned(),
    };
    match policy(settings.policy.file.as_deref()) {
        Ok(set) => Finding::ok(subject, format!("{} policies fit the schema", set.policy_ids().count())),
        Err(error) => Finding::fail(subject, error.to_string(), "correct the policy named"),
    }
}

/// The key ring, if there is one yet, can be read and says which key seals.
pub(super) fn key_ring(settings: &Settings) -> Vec<Finding> {
    let path = settings.key_ring_file();
    if !path.exists() {
        return Vec::new();
    }
    let subject = format!("key ring {}", path.display());
    let ring = secrets::read(&path).map_err(|e| e.to_string()).and_then(|bytes| {
        let text = std::str::from_utf8(&bytes).map_err(|_| "is not text".to_owned())?;
        KeyRing::parse(text).map_err(|e| e.to_string())
    });
    let advice = "restore it from a backup: without its keys nothing that was sealed opens";
    vec![match ring {
        Ok(ring) => Finding::ok(subject, format!("{} key(s), the first seals", ring.ids().len())),
        Err(error) => Finding::fail(subject, error, advice),
    }]
}

/// How long data keys may need an old wrapping key before somebody should look.
const OLD_KEYS_FOR: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// Every data key can be unwrapped by a key that is there, and before long by the current one.
pub(super) async fn data_keys(settings: &Settings) -> Vec<Finding> {
    // That PostgreSQL cannot be reached is a finding of its own.
    let Ok(Some(opened)) = Durable::open_existing(settings).await else { return Vec::new() };
    let usage = keys::usage_of(settings, &opened).await;
    opened.close().await;
    let usage = match usage {
        Ok(usage) => usage,
        Err(error) => return vec![Finding::fail("data keys", error.to_string(), "keyward keys status")],
    };
    let rotated = std::fs::metadata(settings.key_ring_file()).and_then(|found| found.modified()).ok();
    judge(&usage, rotated.and_then(|at| at.elapsed().ok()).is_some_and(|since| since > OLD_KEYS_FOR))
}

fn judge(usage: &KeyUsage, for_long: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A service that tells its current key alone may have the others.
    let ring = usage.has.len() > 1 || usage.has.iter().all(|key| key.0.parse::<u32>().is_ok());
    for (key, needed) in usage.untold().filter(|_| ring) {
        let text =
            format!("{needed} need key {key}, which is not in the key ring: their people cannot be let in");
        findings.push(Finding::fail("data keys", text, "restore the ring that has it"));
    }
    if usage.damaged > 0 {
        let text = format!("{} wrapped keys are damaged", usage.damaged);
        findings.push(Finding::fail("data keys", text, "restore the store from a backup"));
    }
    let old = usage.old();
    if findings.is_empty() && old > 0 && for_long {
        let text = format!("{old} need an old key, a week and more after the ring changed");
        findings.push(Finding::warn("data keys", text, "keyward keys rewrap"));
    } else if findings.is_empty() {
        findings.push(Finding::ok("data keys", format!("all unwrap; {old} need an old key")));
    }
    findings
}

/// In SQLite's words.
const FULL: &str = "disk is full";

/// The embedded store, if there is one yet, opens and is whole.
pub(super) async fn embedded(settings: &Settings) -> Vec<Finding> {
    let dir = &settings.store.data_dir;
    if settings.store.durable != DurableStore::Embedded || !dir.join("state.db").exists() {
        return Vec::new();
    }
    let subject = format!("embedded store in {}", dir.display());
    let store = match EmbeddedStore::open(dir).await {
        Ok(store) => store,
        Err(StoreError::Unavailable(text)) if text.contains(FULL) => {
            let advice = "make room on the disk: nothing that was acknowledged is lost";
            return vec![Finding::fail(format!("disk of {}", dir.display()), text, advice)];
        }
        // It says itself what to do: let its owner write, or run the newer program.
        Err(error @ StoreError::Unavailable(_)) => {
            return vec![Finding::fail(subject, error.to_string(), "until then nothing is allowed")];
        }
        Err(error) => return vec![Finding::fail(subject, error.to_string(), "restore it from a backup")],
    };
    let damage = store.integrity().await;
    store.close().await;
    match damage {
        Ok(damage) if damage.is_empty() => vec![Finding::ok(subject, "is whole, and its schema is current")],
        Ok(damage) => damage
            .into_iter()
            .map(|text| Finding::fail(&*subject, text, "restore it from a backup"))
            .collect(),
        Err(error) => vec![Finding::fail(subject, error.to_string(), "restore it from a backup")],
    }
}

/// PostgreSQL answers, its schema is the one to serve on, and it keeps what it acknowledges.
pub(super) async fn postgres(settings: &Settings) -> Vec<Finding> {
    // That the URL is missing is a finding about the settings.
    if settings.store.durable != DurableStore::Postgres || settings.postgres.url.is_none() {
        return Vec::new();
    }
    let postgres = match postgres_settings(&settings.postgres) {
        Err(error) => {
            return vec![Finding::fail("postgres", error.to_string(), "correct the [postgres] section")];
        }
        Ok(postgres) => postgres,
    };
    let schema = match PostgresStore::schema(&postgres).await {
        Err(error) => {
            let advice = "start PostgreSQL, or correct [postgres]; until then nothing is allowed";
            return vec![Finding::fail("postgres", error.to_string(), advice)];
        }
        Ok(schema) => schema,
    };
    let found = match schema.served() {
        Err(error) => {
            let newer = matches!(schema, SchemaState::Ahead(_));
            let advice = if newer { "deploy the newer program again" } else { "keyward migrate" };
            return vec![Finding::fail("postgres", error.to_string(), advice)];
        }
        Ok(()) if schema == SchemaState::Current => {
            Finding::ok("postgres", "answers, and its schema is current")
        }
        Ok(()) => Finding::warn(
            "postgres",
            "a newer program has expanded the schema",
            "finish the deployment of the newer program",
        ),
    };
    let advice = PostgresStore::advice(&postgres).await.unwrap_or_default();
    let advice = advice.into_iter().map(|(text, advice)| Finding::warn("postgres", text, advice));
    std::iter::once(found).chain(advice).collect()
}

/// Redis answers, and does not throw keys away that it was told to keep.
pub(super) async fn redis(settings: &Settings) -> Vec<Finding> {
    // That the addresses are missing is a finding about the settings.
    let addressed = settings.redis.url.is_some() || !settings.redis.nodes.is_empty();
    if settings.store.hot != HotStore::Redis || !addressed {
        return Vec::new();
    }
    let store = match redis_settings(&settings.redis) {
        Err(error) => return vec![Finding::fail("redis", error.to_string(), "correct the [redis] section")],
        Ok(mut redis) => {
            // Whether it answers at all is asked here, not whether it does so in time.
            redis.response_timeout = redis.response_timeout.max(redis.connect_timeout);
            RedisHot::connect(redis).await
        }
    };
    let unreachable = "start Redis, or correct [redis]; until then every decision is stricter";
    let store = match store {
        Ok(store) => store,
        Err(error) => return vec![Finding::fail("redis", error.to_string(), unreachable)],
    };
    if let Err(error) = store.ping().await {
        return vec![Finding::fail("redis", error.to_string(), unreachable)];
    }
    let form = match settings.redis.mode {
        RedisMode::Standalone => "answers",
        RedisMode::Sentinel => "the master that the Sentinels name answers",
        RedisMode::Cluster => "every master of the cluster answers",
    };
    let advice = store.advice().await.unwrap_or_default();
    let found = advice.into_iter().map(|Advice { broken, text, remedy }| {
        if broken { Finding::fail("redis", text, remedy) } else { Finding::warn("redis", text, remedy) }
    });
    std::iter::once(Finding::ok("redis", form)).chain(found).collect()
}

#[cfg(test)]
mod tests {
    use keyward_store::WrappingKeyId;

    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_policy_that_does_not_parse_is_named() {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("broken.cedar");
        std::fs::write(&file, "permit (principal").expect("written");
        let mut settings = Settings::defaults();
        assert_eq!(policies(&settings).level, Level::Ok);
        settings.policy.file = Some(file);
        let finding = policies(&settings);
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.subject.contains("broken.cedar"));
    }

    #[test]
    fn a_damaged_key_ring_fails() {
        let dir = tempfile::tempdir().expect("folder");
        let mut settings = Settings::defaults();
        settings.store.data_dir = dir.path().to_owned();
        assert!(key_ring(&settings).is_empty(), "none yet: it is made on the first run");
        std::fs::write(settings.key_ring_file(), "1:short").expect("written");
        assert_eq!(key_ring(&settings)[0].level, Level::Fail);
    }

    #[test]
    fn a_missing_key_fails_and_an_old_one_warns_in_time() {
        let id = |id: &str| WrappingKeyId(id.to_owned());
        let usage = |has: &[&str], needed: &[(&str, u64)]| KeyUsage {
            has: has.iter().copied().map(id).collect(),
            needed: needed.iter().map(|(key, count)| (id(key), *count)).collect(),
            damaged: 0,
        };
        let level = |usage: &KeyUsage, for_long| judge(usage, for_long)[0].level;
        let sound = usage(&["2", "1"], &[("2", 5)]);
        assert_eq!((level(&sound, false), level(&sound, true)), (Level::Ok, Level::Ok));
        let old = usage(&["2", "1"], &[("2", 5), ("1", 3)]);
        assert_eq!((level(&old, false), level(&old, true)), (Level::Ok, Level::Warn));
        let missing = usage(&["2"], &[("2", 5), ("1", 3)]);
        assert_eq!(level(&missing, false), Level::Fail);
        assert!(judge(&missing, false)[0].text.starts_with("3 need key 1"));
        let service = usage(&["arn:b"], &[("arn:a", 3)]);
        assert_eq!(level(&service, false), Level::Ok);
        assert_eq!(level(&KeyUsage { damaged: 1, ..sound }, false), Level::Fail);
    }

    #[tokio::test]
    async fn an_absent_redis_fails_and_says_what_follows() {
        let mut settings = Settings::defaults();
        settings.store.hot = HotStore::Redis;
        settings.redis.url = Some("redis://127.0.0.1:1/".to_owned());
        let findings = redis(&settings).await;
        assert_eq!(findings[0].level, Level::Fail);
        assert!(findings[0].advice.contains("stricter"));
    }

    #[tokio::test]
    async fn an_embedded_store_is_checked_only_when_it_is_there() {
        let dir = tempfile::tempdir().expect("folder");
        let mut settings = Settings::defaults();
        settings.store.data_dir = dir.path().to_owned();
        assert!(embedded(&settings).await.is_empty());
        EmbeddedStore::open(dir.path()).await.expect("store").close().await;
        assert_eq!(embedded(&settings).await[0].level, Level::Ok);
    }
}
