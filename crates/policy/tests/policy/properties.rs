//! What holds for all facts under the shipped policies.

use crate::common::{any_facts, strictness};
use keyward_domain::{ActionKind, Band, Outcome, RoleName, Sensitivity};
use keyward_policy::{ClaimAges, Facts, IntegrityFacts, NonceState, PasskeyFact, PolicySet, Verdict};
use proptest::prelude::*;

thread_local! {
    static SET: PolicySet = PolicySet::default_set();
}

fn decide(facts: &Facts) -> Verdict {
    SET.with(|set| set.decide(facts))
}

/// The same person without anything that typing, telemetry or record access say.
fn unobserved(facts: &Facts) -> Facts {
    Facts {
        behaviour: None,
        typing_proof_due: false,
        integrity: IntegrityFacts { nonce: NonceState::Valid, ..IntegrityFacts::default() },
        record_access_burst: false,
        ..facts.clone()
    }
}

fn has_factor(facts: &Facts) -> bool {
    facts.passkey.is_some() || facts.claims != ClaimAges::default()
}

/// Whether one factor is enough for behaviour to spare friction. Written apart from the code under test.
fn one_factor_action(facts: &Facts) -> bool {
    match facts.action.kind {
        ActionKind::Login | ActionKind::Resume => true,
        ActionKind::Read | ActionKind::Write => facts.action.sensitivity == Sensitivity::Routine,
        _ => false,
    }
}

type Change = (&'static str, fn(&mut Facts));

/// Facts changed for the stricter, in every way there is.
const STRICTER: [Change; 26] = [
    ("the hot store is down", |f| f.missing.hot_store = true),
    ("the model is down", |f| f.missing.model = true),
    ("typing falls silent where it was usual", |f| {
        f.behaviour = f.behaviour.filter(|b| *b != Band::Low);
    }),
    ("typing is unusual", |f| {
        f.behaviour = f.behaviour.max(Some(Band::Medium));
    }),
    ("typing is very unusual", |f| f.behaviour = Some(Band::High)),
    ("a proof that is due", |f| f.typing_proof_due = true),
    ("a replay", |f| f.integrity.replayed = true),
    ("a machine", |f| f.integrity.machine_like = true),
    ("a burst", |f| f.record_access_burst = true),
    ("no nonce", |f| {
        f.integrity.nonce = f.integrity.nonce.max(NonceState::Missing);
    }),
    ("a nonce reused", |f| f.integrity.nonce = NonceState::Reused),
    ("a counter that regressed", |f| {
        f.authenticator.counter_regressed = true;
    }),
    ("a backup state that changed", |f| {
        f.authenticator.backup_changed = true;
    }),
    ("more failures", |f| f.recent_failures += 3),
    ("too many attempts", |f| f.attempts_limited = true),
    ("a journey that cannot have been made", |f| f.travel_impossible = true),
    ("an unknown device", |f| f.device_known = None),
    ("an unknown network", |f| f.network_known = Some(false)),
    ("an older passkey", |f| {
        change_passkey(f, |p| p.age_s = p.age_s.saturating_add(3600));
    }),
    ("a passkey without user verification", |f| {
        change_passkey(f, |p| p.user_verified = false);
    }),
    ("a passkey that is not bound", |f| {
        change_passkey(f, |p| p.hardware_bound = false);
    }),
    ("no passkey", |f| f.passkey = None),
    ("no claims", |f| f.claims = ClaimAges::default()),
    ("an older password", |f| {
        f.claims.password_age_s = f.claims.password_age_s.map(|s| s.saturating_add(601));
    }),
    ("another's patient", |f| f.action.in_care_team = Some(false)),
    ("no emergency", |f| f.break_glass = false),
];

fn change_passkey(facts: &mut Facts, change: fn(&mut PasskeyFact)) {
    if let Some(passkey) = &mut facts.passkey {
        change(passkey);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn stricter_facts_are_never_answered_more_laxly(facts in any_facts()) {
        let before = strictness(&decide(&facts));
        for (what, change) in STRICTER {
            let mut stricter = facts.clone();
            change(&mut stricter);
            let after = decide(&stricter);
            prop_assert!(strictness(&after) >= before, "{what}: {before} became {after:?}");
        }
    }

    #[test]
    fn behaviour_alone_never_denies(facts in any_facts()) {
        let verdict = decide(&facts);
        let without = decide(&unobserved(&facts));
        prop_assert!(
            verdict.outcome != Outcome::Deny || without.outcome == Outcome::Deny,
            "{verdict:?} where it would be {without:?}"
        );
    }

    #[test]
    fn usual_typing_spares_only_where_a_factor_is_proven(facts in any_facts()) {
        let usual = Facts { behaviour: Some(Band::Low), ..facts.clone() };
        let silent = Facts { behaviour: None, ..facts };
        let spared = decide(&usual).outcome == Outcome::Allow && decide(&silent).outcome != Outcome::Allow;
        prop_assert!(!spared || (has_factor(&usual) && one_factor_action(&usual)), "{usual:?}");
    }

    #[test]
    fn nothing_is_allowed_without_a_factor(facts in any_facts()) {
        let bare = Facts { passkey: None, claims: ClaimAges::default(), ..facts };
        prop_assert_ne!(decide(&bare).outcome, Outcome::Allow);
    }

    #[test]
    fn nothing_with_two_factors_in_its_rule_is_allowed_without_a_verified_passkey(facts in any_facts()) {
        let allowed = decide(&facts).outcome == Outcome::Allow;
        let verified = facts.passkey.is_some_and(|p| p.user_verified);
        prop_assert!(!allowed || one_factor_action(&facts) || verified);
    }

    #[test]
    fn the_evidence_named_is_enough(facts in any_facts()) {
        let verdict = decide(&facts);
        if let Some(evidence) = verdict.evidence {
            let hardware = evidence == keyward_domain::Evidence::HardwarePasskey;
            let hardware_bound = hardware || facts.passkey.is_some_and(|p| p.hardware_bound);
            let mut brought = facts.clone();
            brought.passkey = Some(PasskeyFact { age_s: 0, user_verified: true, hardware_bound });
            brought.break_glass = evidence == keyward_domain::Evidence::BreakGlass;
            if hardware {
                brought.authenticator = keyward_policy::AuthenticatorFacts::default();
            }
            prop_assert_eq!(decide(&brought).outcome, Outcome::Allow, "{:?}", verdict);
        }
    }

    #[test]
    fn a_record_of_the_facts_replays_to_the_same_verdict(facts in any_facts()) {
        let record = serde_json::to_string(&facts).unwrap();
        let read: Facts = serde_json::from_str(&record).unwrap();
        prop_assert_eq!(&read, &facts);
        prop_assert_eq!(decide(&read), decide(&facts));
    }

    #[test]
    fn roles_unknown_to_the_policies_change_nothing(facts in any_facts()) {
        let mut more = facts.clone();
        more.roles.insert(0, RoleName::parse("volunteer").unwrap());
        more.roles.reverse();
        prop_assert_eq!(decide(&more), decide(&facts));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = PolicySet::parse(&text).map(|set| set.digest());
    }
}
