//! What one decision costs under the shipped policies.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use keyward_domain::{
    Action, ActionKind, Band, DeviceClass, Maturity, Outcome, RoleName, Sensitivity, SubjectId, SubjectKey,
    TenantId,
};
use keyward_policy::{ClaimAges, Facts, IntegrityFacts, NonceState, PasskeyFact, PolicySet};

fn facts(kind: ActionKind, sensitivity: Sensitivity) -> Facts {
    let who = SubjectKey {
        tenant: TenantId::parse("t").expect("a valid name"),
        subject: SubjectId::parse("s").expect("a valid name"),
    };
    let roles = vec![RoleName::parse("clinician").expect("a valid name")];
    let action = Action { kind, sensitivity, in_care_team: Some(false) };
    Facts {
        device_known: Some(true),
        network_known: Some(true),
        claims: ClaimAges { password_age_s: Some(5), ..ClaimAges::default() },
        behaviour: Some(Band::Low),
        maturity: Maturity::Mature,
        integrity: IntegrityFacts { nonce: NonceState::Valid, ..IntegrityFacts::default() },
        ..Facts::unproven(who, roles, action, DeviceClass::Personal)
    }
}

fn decide(c: &mut Criterion) {
    let set = PolicySet::default_set();
    let passkey = |age_s| Some(PasskeyFact { age_s, user_verified: true, hardware_bound: false });
    let login = facts(ActionKind::Login, Sensitivity::Routine);
    let read = Facts { passkey: passkey(600), ..facts(ActionKind::Read, Sensitivity::Clinical) };
    let step_up = facts(ActionKind::Read, Sensitivity::Clinical);
    let three_rungs = Facts { passkey: passkey(600), ..facts(ActionKind::Read, Sensitivity::Restricted) };
    let deny = Facts { passkey: passkey(0), ..facts(ActionKind::Administer, Sensitivity::Routine) };
    for (name, facts, outcome) in [
        ("allow/login_password_typing", login, Outcome::Allow),
        ("allow/read_clinical", read, Outcome::Allow),
        ("step_up/one_rung", step_up, Outcome::StepUp),
        ("step_up/three_rungs", three_rungs, Outcome::StepUp),
        ("deny/capped_check", deny, Outcome::Deny),
    ] {
        assert_eq!(set.decide(&facts).outcome, outcome, "{name}");
        c.bench_function(name, |b| b.iter(|| set.decide(black_box(&facts))));
    }
    c.bench_function("parse_default_set", |b| b.iter(PolicySet::default_set));
}

criterion_group!(benches, decide);
criterion_main!(benches);
