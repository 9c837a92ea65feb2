//! Reading the audit log as an auditor would, and asking the policy again.

use keyward_api::v1;
use keyward_audit::{DecisionRecord, Event, Replay, replay};
use keyward_domain::{Band, DecisionId, ReasonCode, SubjectKey, Timestamp};
use keyward_policy::PolicySet;
use keyward_scoring::fusion::Limits;
use keyward_store::AuditRow;

use crate::World;
use crate::seen::Seen;

/// Every row of the log.
pub async fn rows(world: &World) -> Vec<(u64, AuditRow)> {
    let size = world.store.size().await.expect("the log answers");
    let rows = world.store.read(0, usize::try_from(size).expect("fits")).await.expect("the log reads");
    assert_eq!(rows.len() as u64, size, "indices have no gaps");
    rows
}

/// The leaf hash of a row.
pub fn leaf_hash(row: &AuditRow) -> [u8; 32] {
    keyward_audit::leaf_hash(&row.commitment)
}

/// Every decision in the log that can be opened, with its index and its id.
pub async fn decisions(world: &World) -> Vec<(u64, DecisionId, DecisionRecord)> {
    let mut found = Vec::new();
    for (index, row) in rows(world).await {
        let (Some(subject), Some(decision)) = (row.subject, row.decision) else { continue };
        let who = SubjectKey { tenant: row.tenant, subject };
        let record = world.engine.decision_record(&who, decision).await.expect("the record opens");
        if let Event::Decision(record) = record.event {
            found.push((index, decision, *record));
        }
    }
    found
}

/// Asks the policy again about every decision of the log, and draws its bands from its signals once more. Returns how many
/// there are.
pub async fn replayed(world: &World) -> usize {
    let policy = PolicySet::default_set();
    let decisions = decisions(world).await;
    for (index, id, record) in &decisions {
        assert_eq!(replay(record, &policy), Replay::Same, "decision {id} at {index}: {record:#?}");
        let limits =
            record.limits.map_or_else(Limits::default, |own| Limits { medium: own.medium, high: own.high });
        let band =
            keyward_scoring::fuse(&record.signals, limits, Timestamp::from_secs(0)).map(|risk| risk.band);
        assert_eq!(band, record.risk.map(|risk| risk.band), "decision {id} at {index}: {record:#?}");
        let behaviour = keyward_scoring::behaviour_band(&record.signals, limits);
        // What was spared was not put to the policy, and the record says so: unusual typing, and never more than that.
        let spared = record.reasons.iter().any(|reason| reason.code == ReasonCode::FrictionCapped);
        let put = if spared { None } else { behaviour };
        assert_eq!(put, record.facts.behaviour, "decision {id} at {index}: {record:#?}");
        assert!(!spared || behaviour == Some(Band::Medium), "decision {id} at {index}: {record:#?}");
    }
    decisions.len()
}

/// Holds that what was given to callers stands in the log as it was given, every ALLOW above all.
pub async fn holds(world: &World, given: &[v1::Decision]) {
    let logged = decisions(world).await;
    for decision in given {
        let seen = Seen::from(decision);
        let found = logged.iter().find(|(_, id, _)| id.to_string() == decision.id);
        let Some((index, _, record)) = found else {
            assert!(
                !seen.recorded && seen.outcome != keyward_domain::Outcome::Allow,
                "not in the log: {seen:?}"
            );
            continue;
        };
        assert_eq!(Some(*index), decision.audit_index, "{seen:?}");
        assert_eq!((record.outcome, record.evidence), (seen.outcome, seen.evidence), "{seen:?}");
        assert!(record.reasons.iter().map(|reason| reason.code).eq(seen.reasons.iter().copied()), "{seen:?}");
    }
}
