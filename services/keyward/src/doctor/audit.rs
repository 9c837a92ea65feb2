//! The audit log: whether its checkpoint is ours, covers what it must, and follows.

use std::time::Duration;

use keyward_audit::Checkpoint;
use keyward_domain::Timestamp;
use keyward_store::{DurableStore, StoreResult, TreeHead};

use super::Finding;
use crate::compose::{Durable, log_settings};
use crate::settings::Settings;

/// How long a record may wait for its checkpoint beyond the interval.
const LATE: Duration = Duration::from_mins(1);

/// The log of the durable store, if there is one yet.
pub(super) async fn log(settings: &Settings, now: Timestamp) -> Vec<Finding> {
    // That the store does not open is a finding about the store.
    let Ok(Some(store)) = Durable::open_existing(settings).await else { return Vec::new() };
    let seen = look(&*store.port()).await;
    store.close().await;
    vec![match seen {
        Ok(seen) => judged(&seen, settings, now),
        Err(error) => Finding::fail(SUBJECT, error.to_string(), "restore the data folder from a backup"),
    }]
}

const SUBJECT: &str = "audit log";

/// What the store says of the log.
struct Seen {
    head: Option<TreeHead>,
    records: u64,
    /// When the first record beyond the checkpoint was made.
    waiting_since: Option<Timestamp>,
}

async fn look(store: &dyn DurableStore) -> StoreResult<Seen> {
    // In this order: a log that grows meanwhile is never shorter than its checkpoint.
    let head = store.head().await?;
    let records = store.size().await?;
    let waiting = store.read(head.as_ref().map_or(0, |head| head.size), 1).await?;
    Ok(Seen { head, records, waiting_since: waiting.first().map(|(_, row)| row.at) })
}

fn judged(seen: &Seen, settings: &Settings, now: Timestamp) -> Finding {
    let covered = seen.head.as_ref().map_or(0, |head| head.size);
    if seen.records < covered {
        let text = format!("its checkpoint covers {covered} records and {} are there", seen.records);
        return Finding::fail(
            SUBJECT,
            text,
            "records were lost or removed: restore the data folder, and find out who",
        );
    }
    if let Some(error) = seen.head.as_ref().and_then(|head| not_ours(head, settings)) {
        let advice = "restore the key, or name its public half in audit.earlier_keys";
        return Finding::fail(SUBJECT, format!("its newest checkpoint: {error}"), advice);
    }
    let late = LATE + Duration::from_millis(settings.audit.checkpoint_interval_ms);
    let waited = seen.waiting_since.map(|since| now.since(since)).unwrap_or_default();
    if waited > late {
        let beyond = seen.records - covered;
        let text = format!("{beyond} records are in no checkpoint, the first for {} s", waited.as_secs());
        return Finding::warn(SUBJECT, text, "start keyward serve; if it runs, its log says why");
    }
    Finding::ok(SUBJECT, format!("{} records, {covered} of them in a signed checkpoint", seen.records))
}

/// Why a checkpoint is not one that this deployment goes on from.
fn not_ours(head: &TreeHead, settings: &Settings) -> Option<String> {
    let path = settings.audit_signing_key_file();
    // Reading the settings would make a key that is missing, and hide that it was lost.
    if !path.exists() {
        return Some(format!("its key is missing: {}", path.display()));
    }
    let log = match log_settings(settings) {
        Ok(log) => log,
        Err(error) => return Some(error.to_string()),
    };
    let error = Checkpoint::verify(&head.note, log.signer.key()).err()?;
    let earlier = log.earlier_keys.iter().any(|key| Checkpoint::verify(&head.note, key).is_ok());
    (!earlier).then(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn what_is_late_lost_or_signed_by_another_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::defaults();
        settings.store.data_dir = folder.path().to_owned();
        let signer = log_settings(&settings).unwrap().signer;
        let origin = settings.audit.origin.clone();
        let note = Checkpoint { origin, size: 10, root: [1; 32] }.sign(&signer);
        let (then, now) = (Timestamp::from_secs(1_800_000_000), Timestamp::from_secs(1_800_000_100));
        let seen = |records, waiting_since| Seen {
            head: Some(TreeHead { size: 10, signed_at: then, note: note.clone() }),
            records,
            waiting_since,
        };
        let level = |seen: &Seen| judged(seen, &settings, now).level;
        assert_eq!(level(&seen(10, None)), Level::Ok);
        assert_eq!(level(&seen(12, Some(now))), Level::Ok);
        assert_eq!(level(&seen(12, Some(then))), Level::Warn);
        assert_eq!(level(&seen(9, None)), Level::Fail);
        assert_eq!(level(&Seen { head: None, records: 0, waiting_since: None }), Level::Ok);
        std::fs::remove_file(settings.audit_signing_key_file()).unwrap();
        let found = judged(&seen(10, None), &settings, now);
        assert_eq!(found.level, Level::Fail);
        assert!(found.advice.contains("earlier_keys"), "{found:?}");
    }
}
