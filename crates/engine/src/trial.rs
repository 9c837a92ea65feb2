//! What if another policy decided: asked of decisions that were made. Nothing is changed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use keyward_audit::{DecisionRecord, Event, hex};
use keyward_domain::{CallerId, DecisionId, Evidence, Outcome, PolicyId, SubjectId, TenantId, Timestamp};
use keyward_policy::PolicySet;
use keyward_store::DECISION_KIND;

use crate::people::durable;
use crate::records::{Contents, RecordQuery};
use crate::{Engine, EngineError};

/// Decisions after which other tasks get their turn.
const TURN: u64 = 64;

/// Which decisions to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTrial {
    /// Of this tenant.
    pub tenant: TenantId,
    /// Not older.
    pub from: Option<Timestamp>,
    /// Older.
    pub until: Option<Timestamp>,
    /// At most so many differences.
    pub limit: usize,
    /// The indices that are left to look at, when an earlier page said so.
    pub remaining: Option<Range<u64>>,
}

/// What would have been.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialPage {
    /// Decisions that come out otherwise, the newest first.
    pub differences: Vec<PolicyDifference>,
    /// Decisions that were looked at.
    pub decisions: u64,
    /// Those among them that cannot be read any more.
    pub unreadable: u64,
    /// How many went from one outcome to another.
    pub outcomes: HashMap<(Outcome, Outcome), u64>,
    /// What is left to look at; absent when that was all.
    pub remaining: Option<Range<u64>>,
}

/// A decision that comes out otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyDifference {
    /// The decision.
    pub decision: DecisionId,
    /// Its index in the log.
    pub index: u64,
    /// The person.
    pub subject: SubjectId,
    /// When.
    pub at: Timestamp,
    /// How it came out.
    pub then: Came,
    /// How it comes out.
    pub now: Came,
}

/// How a decision comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Came {
    /// The outcome.
    pub outcome: Outcome,
    /// What is enough, with STEP_UP.
    pub evidence: Option<Evidence>,
    /// The policies that decide.
    pub policies: Vec<PolicyId>,
}

impl Engine {
    /// Asks a policy about decisions that were made, a page of them.
    ///
    /// # Errors
    /// [`EngineError::StoreUnavailable`], also when the read itself cannot be recorded.
    pub async fn try_policy(
        &self,
        caller: &CallerId,
        policy: &PolicySet,
        trial: &PolicyTrial,
    ) -> Result<TrialPage, EngineError> {
        let size = self.durable.size().await.map_err(durable)?;
        let filter = BTreeMap::from([("policy_digest".to_owned(), hex(&policy.digest()))]);
        self.record_read(caller, "TryPolicy", &trial.tenant, None, filter).await?;
        let mut search = self.search(&trial.query(), size).await?;
        let (mut page, mut opened) = (TrialPage::default(), HashMap::new());
        while page.differences.len() < trial.limit
            && let Some((index, row)) = self.next(&mut search).await?
        {
            if !trial.query().is_about(&row) {
                continue;
            }
            page.decisions += 1;
            if page.decisions % TURN == 0 {
                tokio::task::yield_now().await;
            }
            let logged = self.open_row(index, row, &mut opened).await?;
            match &logged.contents {
                Contents::Open { record, .. } => match &record.event {
                    Event::Decision(decision) => {
                        let asked = (index, &record.who.subject, record.at);
                        page.compare(policy, decision, asked);
                    }
                    _ => page.unreadable += 1,
                },
                Contents::Erased | Contents::Damaged => page.unreadable += 1,
            }
        }
        page.remaining = search.left();
        Ok(page)
    }
}

impl TrialPage {
    fn compare(
        &mut self,
        policy: &PolicySet,
        made: &DecisionRecord,
        (index, subject, at): (u64, &SubjectId, Timestamp),
    ) {
        let now = policy.decide(&made.facts);
        *self.outcomes.entry((made.outcome, now.outcome)).or_default() += 1;
        if (now.outcome, now.evidence) == (made.outcome, made.evidence) {
            return;
        }
        self.differences.push(PolicyDifference {
            decision: made.id,
            index,
            subject: subject.clone(),
            at,
            then: Came { outcome: made.outcome, evidence: made.evidence, policies: made.policies.clone() },
            now: Came { outcome: now.outcome, evidence: now.evidence, policies: now.policies },
        });
    }
}

impl PolicyTrial {
    fn query(&self) -> RecordQuery {
        RecordQuery {
            tenant: self.tenant.clone(),
            subject: None,
            kind: Some(DECISION_KIND.to_owned()),
            outcome: None,
            from: self.from,
            until: self.until,
            newest_first: true,
            limit: self.limit,
            remaining: self.remaining.clone(),
        }
    }
}
