//! Facts for tests: built by name, and arbitrary ones for properties.

use keyward_domain::{
    Action, ActionKind, Band, DeviceClass, Evidence, Maturity, Outcome, RoleName, Roles, Sensitivity,
    SubjectId, SubjectKey, TenantId,
};
use keyward_policy::{
    AuthenticatorFacts, ClaimAges, Facts, IntegrityFacts, MissingFacts, NonceState, PasskeyFact, Verdict,
};
use proptest::prelude::*;

pub(crate) fn who() -> SubjectKey {
    SubjectKey {
        tenant: TenantId::parse("st-mary").expect("a valid name"),
        subject: SubjectId::parse("u-1").expect("a valid name"),
    }
}

pub(crate) fn roles(names: &[&str]) -> Roles {
    names.iter().map(|name| RoleName::parse(*name).expect("a valid name")).collect()
}

/// Nothing proven, everything in order: own known device, known network, valid nonce, mature model, silent.
pub(crate) fn facts(role: &str, kind: ActionKind, sensitivity: Sensitivity) -> Facts {
    let action = Action { kind, sensitivity, in_care_team: Some(true) };
    Facts {
        device_known: Some(true),
        network_known: Some(true),
        maturity: Maturity::Mature,
        integrity: IntegrityFacts { nonce: NonceState::Valid, ..IntegrityFacts::default() },
        ..Facts::unproven(who(), roles(&[role]), action, DeviceClass::Personal)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what the field of `Facts` takes")]
pub(crate) fn passkey(age_s: u64) -> Option<PasskeyFact> {
    Some(PasskeyFact { age_s, user_verified: true, hardware_bound: false })
}

#[expect(clippy::unnecessary_wraps, reason = "what the field of `Facts` takes")]
pub(crate) fn hardware(age_s: u64) -> Option<PasskeyFact> {
    Some(PasskeyFact { age_s, user_verified: true, hardware_bound: true })
}

pub(crate) fn password(age_s: u64) -> ClaimAges {
    ClaimAges { password_age_s: Some(age_s), ..ClaimAges::default() }
}

/// A verdict in one word: the outcome, or the evidence that a step-up asks for.
pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match (verdict.outcome, verdict.evidence) {
        (Outcome::Allow, None) => "allow",
        (Outcome::Deny, None) => "deny",
        (Outcome::StepUp, Some(evidence)) => evidence.name(),
        other => panic!("no verdict looks like {other:?}"),
    }
}

/// How strict a verdict is. Emergency access is stricter than any evidence, for it must be justified.
pub(crate) fn strictness(verdict: &Verdict) -> u8 {
    match (verdict.outcome, verdict.evidence) {
        (Outcome::Allow, _) => 0,
        (Outcome::StepUp, Some(Evidence::Passkey)) => 1,
        (Outcome::StepUp, Some(Evidence::HardwarePasskey)) => 2,
        (Outcome::StepUp, _) => 3,
        (Outcome::Deny, _) => 4,
    }
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

/// Ages on both sides of every limit of the shipped policies, and any other.
fn age() -> impl Strategy<Value = u64> {
    let limits = prop::sample::select(vec![120_u64, 300, 600, 900, 3600, 14_400, 43_200]);
    prop_oneof![
        Just(0_u64),
        (limits, 0_u64..2).prop_map(|(limit, over)| limit + over),
        any::<u64>(),
        0_u64..50_000
    ]
}

fn any_passkey() -> impl Strategy<Value = Option<PasskeyFact>> {
    let passkey = (age(), prop::bool::weighted(0.8), any::<bool>());
    prop::option::of(passkey.prop_map(|(age_s, user_verified, hardware_bound)| PasskeyFact {
        age_s,
        user_verified,
        hardware_bound,
    }))
}

fn any_claims() -> impl Strategy<Value = ClaimAges> {
    let one = || prop::option::weighted(0.4, age());
    (one(), one(), one()).prop_map(|(password_age_s, badge_age_s, sso_age_s)| ClaimAges {
        password_age_s,
        badge_age_s,
        sso_age_s,
    })
}

fn any_integrity() -> impl Strategy<Value = IntegrityFacts> {
    use NonceState::{Missing, Reused, Stale, Unverified, Valid};
    let nonce = prop_oneof![3 => Just(Valid), 1 => any_of(&[Missing, Stale, Reused, Unverified])];
    let rarely = || prop::bool::weighted(0.2);
    (rarely(), rarely(), nonce).prop_map(|(replayed, machine_like, nonce)| IntegrityFacts {
        replayed,
        machine_like,
        nonce,
    })
}

fn any_action() -> impl Strategy<Value = Action> {
    (any_of(ActionKind::ALL), any_of(Sensitivity::ALL), any::<Option<bool>>())
        .prop_map(|(kind, sensitivity, in_care_team)| Action { kind, sensitivity, in_care_team })
}

/// Any facts at all, with plain cases likely enough to be met.
pub(crate) fn any_facts() -> impl Strategy<Value = Facts> {
    let names = ["clinician", "nurse", "pharmacist", "front_desk", "administrator", "gardener"];
    let rarely = || prop::bool::weighted(0.15);
    let person = (prop::sample::subsequence(names.to_vec(), 0..=3), any_action(), any_of(DeviceClass::ALL));
    let place = (any::<Option<bool>>(), any::<Option<bool>>(), rarely());
    let proofs = (any_passkey(), any_claims(), rarely(), rarely());
    let seen =
        (prop::option::of(any_of(Band::ALL)), any_of(Maturity::ALL), any_integrity(), rarely(), rarely());
    let rest = (0_u32..5, rarely(), rarely(), rarely(), rarely());
    (person, place, proofs, seen, rest).prop_map(|(person, place, proofs, seen, rest)| Facts {
        device_known: place.0,
        network_known: place.1,
        travel_impossible: place.2,
        passkey: proofs.0,
        claims: proofs.1,
        authenticator: AuthenticatorFacts { counter_regressed: proofs.2, backup_changed: proofs.3 },
        behaviour: seen.0,
        maturity: seen.1,
        integrity: seen.2,
        record_access_burst: seen.3,
        typing_proof_due: seen.4,
        recent_failures: rest.0,
        attempts_limited: rest.1,
        missing: MissingFacts { hot_store: rest.2, model: rest.3 },
        break_glass: rest.4,
        ..Facts::unproven(who(), roles(&person.0), person.1, person.2)
    })
}
