//! Records of the log, and what is asked of them.

use std::collections::HashMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward_audit::{
    AdministratorRead, DecisionRecord, Event, KeyChange, PasskeyChange, ProfileChange, Record,
};
use keyward_domain::{Outcome, TenantId, Timestamp};
use keyward_engine::{
    Came, Contents, LoggedRecord, PolicyDifference, PolicyTrial, RecordName, RecordPage, RecordQuery,
    TrialPage,
};
use keyward_policy::PolicySet;

use super::decision::{assurance, fused_risk, reason, signal};
use super::time::{any, duration_to_wire, timestamp_to_wire};
use super::{Checked, Path, Violations, WireEnum, collect, enums, text};
use crate::v1;

const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: u32 = 1000;

/// Every kind of record with its name in the log.
const KINDS: [(v1::RecordKind, &str); 11] = [
    (v1::RecordKind::Decision, "decision"),
    (v1::RecordKind::OutcomeReported, "outcome_reported"),
    (v1::RecordKind::Passkey, "passkey"),
    (v1::RecordKind::Profile, "profile"),
    (v1::RecordKind::Erased, "erased"),
    (v1::RecordKind::PolicyChanged, "policy_changed"),
    (v1::RecordKind::AdministratorRead, "administrator_read"),
    (v1::RecordKind::Pruned, "pruned"),
    (v1::RecordKind::Exported, "exported"),
    (v1::RecordKind::BehaviourConsent, "behaviour_consent"),
    (v1::RecordKind::Keys, "keys"),
];

/// Which records to look for.
pub fn query_records(request: v1::QueryRecordsRequest) -> Result<RecordQuery, Violations> {
    collect(|found| {
        let at = Path::Request;
        let tenant = text::id(request.tenant, at.field("tenant"), found);
        let subject = text::optional_person(request.subject, at.field("subject"), found);
        let kind = kind(request.kind, at.field("kind"), found);
        let outcome = outcome(request.outcome, at.field("outcome"), found);
        let times = times(request.from, request.until, found);
        let limit = page_size(request.page_size, found);
        let remaining = page(&request.page_token, found);
        let (from, until) = times?;
        Ok(RecordQuery {
            tenant: tenant?,
            subject: subject?,
            kind: kind?,
            outcome: outcome?,
            from,
            until,
            newest_first: !request.oldest_first,
            limit: limit?,
            remaining: remaining?,
        })
    })
}

/// Which record.
pub fn get_record(request: v1::GetRecordRequest) -> Result<(TenantId, RecordName), Violations> {
    use v1::get_record_request::Name;
    collect(|found| {
        let tenant = text::id(request.tenant, Path::Request.field("tenant"), found);
        let name = match request.name {
            Some(Name::Index(index)) => Ok(RecordName::Index(index)),
            Some(Name::DecisionId(id)) => {
                text::decision_id(&id, Path::Request.field("decision_id"), found).map(RecordName::Decision)
            }
            None => Err(found.add(Path::Request.field("decision_id"), "must be given, or index")),
        };
        Ok((tenant?, name?))
    })
}

/// Whose records to watch.
pub fn watch_records(request: v1::WatchRecordsRequest) -> Result<TenantId, Violations> {
    collect(|found| text::id(request.tenant, Path::Request.field("tenant"), found))
}

/// Which policy to try, and on what.
pub fn try_policy(request: v1::TryPolicyRequest) -> Result<(PolicySet, PolicyTrial), Violations> {
    collect(|found| {
        let tenant = text::id(request.tenant, Path::Request.field("tenant"), found);
        let times = times(request.from, request.until, found);
        let limit = page_size(request.page_size, found);
        let remaining = page(&request.page_token, found);
        let policy = PolicySet::parse(&request.policy).map_err(|error| {
            found.add(Path::Request.field("policy"), format_args!("must be a policy: {error}"))
        });
        let (from, until) = times?;
        Ok((policy?, PolicyTrial { tenant: tenant?, from, until, limit: limit?, remaining: remaining? }))
    })
}

/// A page of records.
pub fn records(page: RecordPage) -> v1::QueryRecordsResponse {
    v1::QueryRecordsResponse {
        records: page.records.into_iter().map(record).collect(),
        next_page_token: page.remaining.map(token).unwrap_or_default(),
    }
}

/// A record.
pub fn record(logged: LoggedRecord) -> v1::Record {
    let known = KINDS.iter().find(|(_, name)| *name == logged.kind);
    let out = v1::Record {
        index: logged.index,
        kind: known.map_or(v1::RecordKind::Unspecified, |(kind, _)| *kind).into(),
        tenant: logged.tenant.into(),
        at: Some(timestamp_to_wire(logged.at)),
        ..v1::Record::default()
    };
    match logged.contents {
        Contents::Open { record, .. } => opened(*record, out),
        Contents::Erased => v1::Record { state: v1::RecordState::Erased.into(), ..out },
        Contents::Damaged => v1::Record { state: v1::RecordState::Damaged.into(), ..out },
    }
}

fn opened(record: Record, out: v1::Record) -> v1::Record {
    let subject = if record.who.is_person() { record.who.subject.into() } else { String::new() };
    let state = v1::RecordState::Open.into();
    match record.event {
        Event::Decision(made) => v1::Record { subject, state, decision: Some(decided(*made)), ..out },
        other => v1::Record { subject, state, facts: facts(other), ..out },
    }
}

fn decided(made: DecisionRecord) -> v1::RecordedDecision {
    let facts = serde_json::to_string(&made.facts).unwrap_or_default();
    v1::RecordedDecision {
        id: made.id.to_string(),
        session: made.session.into(),
        request_id: made.request.into(),
        roles: made.facts.roles.iter().map(ToString::to_string).collect(),
        action: Some(v1::Action {
            kind: made.facts.action.kind.number(),
            sensitivity: made.facts.action.sensitivity.number(),
            in_care_team: made.facts.action.in_care_team,
        }),
        device_class: made.facts.device_class.number(),
        outcome: made.outcome.number(),
        evidence: made.evidence.map_or(0, WireEnum::number),
        reasons: made.reasons.into_iter().map(reason).collect(),
        policies: made.policies.into_iter().map(String::from).collect(),
        policy_digest: made.policy_digest,
        signals: made.signals.iter().map(signal).collect(),
        risk: made.risk.map(fused_risk),
        assurance: Some(assurance(made.assurance)),
        obligations: made.obligations.into_iter().map(WireEnum::number).collect(),
        valid_for: Some(duration_to_wire(made.valid_for)),
        justification: made.break_glass.map(|it| it.justification).unwrap_or_default(),
        facts_json: facts,
    }
}

/// What a record of another kind than a decision says, by name.
fn facts(event: Event) -> HashMap<String, String> {
    let said: Vec<(&str, String)> = match event {
        Event::Decision(_) | Event::Exported => vec![],
        Event::Erased { passkeys, documents, samples, records } => vec![
            ("passkeys", passkeys.to_string()),
            ("documents", documents.to_string()),
            ("samples", samples.to_string()),
            ("records", records.to_string()),
        ],
        Event::BehaviourConsent { opted_out, erased_profiles } => {
            vec![("opted_out", opted_out.to_string()), ("erased_profiles", erased_profiles.to_string())]
        }
        Event::Keys(change) => key_change(change),
        Event::OutcomeReported { decision, outcome, retracted_samples } => vec![
            ("decision_id", decision.to_string()),
            ("outcome", outcome),
            ("retracted_samples", retracted_samples.to_string()),
        ],
        Event::Passkey { change, credential } => {
            vec![("change", passkey_change(change).to_owned()), ("credential", credential)]
        }
        Event::Profile { change, name } => {
            let mut said = vec![("name", name)];
            said.extend(profile_change(change));
            said
        }
        Event::PolicyChanged { digest, previous } => {
            vec![("digest", digest), ("previous", previous.unwrap_or_default())]
        }
        Event::AdministratorRead(AdministratorRead { caller, call, filter }) => {
            let read = [("caller", caller.to_string()), ("call", call)];
            let read = read.map(|(name, value)| (name.to_owned(), value));
            return read.into_iter().chain(filter).collect();
        }
        Event::Pruned { from, below, before } => vec![
            ("from", from.to_string()),
            ("below", below.to_string()),
            ("before_us", before.micros.to_string()),
        ],
    };
    said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn key_change(change: KeyChange) -> Vec<(&'static str, String)> {
    let named = |change: &str, key| vec![("change", change.to_owned()), ("key", key)];
    match change {
        KeyChange::Prepared { key } => named("prepared", key),
        KeyChange::Rotated { key } => named("rotated", key),
        KeyChange::Retired { key } => named("retired", key),
        KeyChange::Rewrapped { key, data_keys, stuck } => {
            let mut said = named("rewrapped", key);
            said.extend([("data_keys", data_keys.to_string()), ("stuck", stuck.to_string())]);
            said
        }
    }
}

const fn passkey_change(change: PasskeyChange) -> &'static str {
    match change {
        PasskeyChange::Registered => "registered",
        PasskeyChange::Renamed => "renamed",
        PasskeyChange::Revoked => "revoked",
        PasskeyChange::Authenticated => "authenticated",
    }
}

fn profile_change(change: ProfileChange) -> Vec<(&'static str, String)> {
    match change {
        ProfileChange::Reset => vec![("change", "reset".to_owned())],
        ProfileChange::RolledBack { to } => {
            vec![("change", "rolled_back".to_owned()), ("to", to.to_string())]
        }
        ProfileChange::Imported { samples } => {
            vec![("change", "imported".to_owned()), ("samples", samples.to_string())]
        }
    }
}

/// What a policy would have changed.
pub fn trial(page: TrialPage) -> v1::TryPolicyResponse {
    let mut outcomes: Vec<v1::OutcomeCount> = page
        .outcomes
        .into_iter()
        .map(|((then, now), decisions)| v1::OutcomeCount {
            outcome: then.number(),
            new_outcome: now.number(),
            decisions,
        })
        .collect();
    outcomes.sort_by_key(|count| (count.outcome, count.new_outcome));
    v1::TryPolicyResponse {
        differences: page.differences.into_iter().map(difference).collect(),
        decisions: page.decisions,
        unreadable: page.unreadable,
        outcomes,
        next_page_token: page.remaining.map(token).unwrap_or_default(),
    }
}

fn difference(found: PolicyDifference) -> v1::PolicyDifference {
    let came = |came: Came| {
        let policies = came.policies.into_iter().map(String::from).collect();
        (came.outcome.number(), came.evidence.map_or(0, WireEnum::number), policies)
    };
    let ((outcome, evidence, policies), (new_outcome, new_evidence, new_policies)) =
        (came(found.then), came(found.now));
    v1::PolicyDifference {
        decision_id: found.decision.to_string(),
        index: found.index,
        subject: found.subject.into(),
        at: Some(timestamp_to_wire(found.at)),
        outcome,
        evidence,
        policies,
        new_outcome,
        new_evidence,
        new_policies,
    }
}

fn kind(number: i32, at: Path<'_>, found: &mut Violations) -> Checked<Option<String>> {
    if number == 0 {
        return Ok(None);
    }
    let known = KINDS.iter().find(|(kind, _)| i32::from(*kind) == number);
    known.map(|(_, name)| Some((*name).to_owned())).ok_or_else(|| found.add(at, "is not a known value"))
}

fn outcome(number: i32, at: Path<'_>, found: &mut Violations) -> Checked<Option<Outcome>> {
    if number == 0 { Ok(None) } else { enums::value(number, at, found).map(Some) }
}

type Times = (Option<Timestamp>, Option<Timestamp>);

fn times(
    from: Option<prost_types::Timestamp>,
    until: Option<prost_types::Timestamp>,
    found: &mut Violations,
) -> Checked<Times> {
    let from = from.map(|it| any(it, Path::Request.field("from"), found)).transpose();
    let until = until.map(|it| any(it, Path::Request.field("until"), found)).transpose();
    Ok((from?, until?))
}

fn page_size(asked: u32, found: &mut Violations) -> Checked<usize> {
    match asked {
        0 => Ok(DEFAULT_PAGE),
        1..=MAX_PAGE => Ok(asked as usize),
        _ => Err(found.add(Path::Request.field("page_size"), format_args!("must be at most {MAX_PAGE}"))),
    }
}

/// What is left to look at. It gives nothing that a query without it would not give, so it needs no seal.
fn token(left: Range<u64>) -> String {
    URL_SAFE_NO_PAD.encode([left.start.to_be_bytes(), left.end.to_be_bytes()].concat())
}

fn page(token: &str, found: &mut Violations) -> Checked<Option<Range<u64>>> {
    if token.is_empty() {
        return Ok(None);
    }
    let decoded = (token.len() <= 32).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten();
    let numbers = decoded.as_deref().and_then(|bytes| {
        let (start, end) = bytes.split_first_chunk::<8>()?;
        Some(u64::from_be_bytes(*start)..u64::from_be_bytes(end.try_into().ok()?))
    });
    let refuse = || found.add(Path::Request.field("page_token"), "must be one that was given");
    numbers.filter(|left| left.start < left.end).map(Some).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(result: Result<T, Violations>) -> Vec<String> {
        let found = result.err().expect("must be refused");
        found.into_named().into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn a_query_says_what_is_wrong_with_it() {
        let good = v1::QueryRecordsRequest { tenant: "t".into(), ..Default::default() };
        let query = query_records(good.clone()).unwrap();
        assert_eq!((query.limit, query.newest_first, query.remaining, query.kind), (100, true, None, None));
        let moment = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        let bad = v1::QueryRecordsRequest {
            subject: "a b".into(),
            kind: 99,
            outcome: 99,
            from: moment,
            until: moment,
            page_size: 1001,
            page_token: "x".into(),
            ..Default::default()
        };
        let fields = ["tenant", "subject", "kind", "outcome", "from", "until", "page_size", "page_token"];
        assert_eq!(refused(query_records(bad)), fields);
    }

    #[test]
    fn page_tokens_come_back_and_others_are_refused() {
        let asked = |page_token: String| {
            query_records(v1::QueryRecordsRequest { tenant: "t".into(), page_token, ..Default::default() })
        };
        assert_eq!(asked(token(5..1 << 60)).unwrap().remaining, Some(5..1 << 60));
        for bad in [
            token(5..5),
            token(Range { start: 6, end: 5 }),
            "A".repeat(1 << 20),
            token(1..2)[..10].to_owned(),
        ] {
            assert_eq!(refused(asked(bad)), ["page_token"]);
        }
    }

    #[test]
    fn a_policy_that_is_none_is_refused_with_its_line() {
        let request =
            v1::TryPolicyRequest { tenant: "t".into(), policy: "permit (".into(), ..Default::default() };
        let found = try_policy(request).unwrap_err().into_named();
        assert_eq!(found[0].field, "policy");
        assert!(found[0].description.contains("line 1"), "{}", found[0].description);
    }

    #[test]
    fn every_kind_of_record_has_its_number() {
        for (kind, name) in KINDS {
            let expected = format!("RECORD_KIND_{}", name.to_uppercase());
            assert_eq!(kind.as_str_name(), expected);
        }
        let known = (1..100).filter(|number| v1::RecordKind::try_from(*number).is_ok()).count();
        assert_eq!(known, KINDS.len());
    }
}
