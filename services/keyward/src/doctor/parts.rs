//! What an engine is put together from: policy, keys and stores, each opened as `serve` would open it.

use keyward_seal::KeyRing;
use keyward_store::HotStore as _;
use keyward_store_embedded::EmbeddedStore;
use keyward_store_redis::{Advice, RedisHot};

use super::Finding;
use crate::compose::{policy, redis_settings};
use crate::secrets;
use crate::settings::{HotStore, RedisMode, Settings};

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

/// The embedded store, if there is one yet, opens and is whole.
pub(super) async fn embedded(settings: &Settings) -> Vec<Finding> {
    let dir = &settings.store.data_dir;
    if !dir.join("state.db").exists() {
        return Vec::new();
    }
    let subject = format!("embedded store in {}", dir.display());
    let store = match EmbeddedStore::open(dir).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::fail(subject, error.to_string(), "restore it from a backup")],
    };
    let damage = store.integrity().await;
    store.close().await;
    match damage {
        Ok(damage) if damage.is_empty() => vec![Finding::ok(subject, "is whole")],
        Ok(damage) => damage
            .into_iter()
            .map(|text| Finding::fail(&*subject, text, "restore it from a backup"))
            .collect(),
        Err(error) => vec![Finding::fail(subject, error.to_string(), "restore it from a backup")],
    }
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
