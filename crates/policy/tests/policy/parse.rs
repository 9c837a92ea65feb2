//! What a policy text may not say, and where the error is told to lie; the cap and the guard over other policies.

use std::time::Duration;

use crate::common::{facts, hardware, passkey, password, word};
use keyward_domain::Obligation::{AlertSecurity, NotifyUser, Review, TimeBox};
use keyward_domain::{ActionKind, Band, IdError, Maturity, Outcome, PolicyId, ReasonCode, Sensitivity};
use keyward_policy::{MAX_POLICIES, MAX_POLICY_BYTES, PolicyError, PolicySet};

fn refused(text: &str) -> PolicyError {
    PolicySet::parse(text).map(|_| ()).expect_err("the text must be refused")
}

fn id(text: &str) -> PolicyId {
    PolicyId::parse(text).expect("a valid id")
}

/// One rule under `@id("x")` with this condition.
fn rule(effect: &str, condition: &str) -> String {
    format!("@id(\"x\")\n{effect} (principal, action, resource)\nwhen {{ {condition} }};\n")
}

#[test]
fn a_text_that_is_not_cedar_is_refused_with_its_line() {
    let text =
        "// a comment\n@id(\"x\")\npermit (principal, action, resource)\nwhen { context.passkey_age_s <= };";
    assert!(matches!(refused(text), PolicyError::Syntax { line: 4, .. }), "{:?}", refused(text));
    assert!(matches!(refused("permit"), PolicyError::Syntax { line: 1, .. }));
}

#[test]
fn what_the_schema_does_not_know_is_refused() {
    let wrong = [
        "context.passkey_age <= 300",
        "context.passkey_age_s",
        "context.passkey_age_s <= \"300\"",
        "context.behaviour == Behaviour::\"hihg\"",
        "context.behaviour == Maturity::\"mature\"",
        "context.behaviour == \"high\"",
        "context has typed_text",
        "principal.name == \"ada\"",
        "resource == Sensitivity::\"secret\"",
        "principal in Group::\"staff\"",
        "action == Action::\"delete\"",
        "principal in Action::\"read\"",
        "context.passkey_age_s <= 300 || 1",
    ];
    for condition in wrong {
        let error = refused(&rule("permit", condition));
        assert!(
            matches!(&error, PolicyError::Schema { id: named, line: 1..=3, .. } if *named == id("x")),
            "{condition}: {error}"
        );
    }
}

#[test]
fn a_policy_that_can_never_apply_is_refused() {
    let error = refused(&rule("permit", "context.break_glass && !context.break_glass && false"));
    assert!(matches!(error, PolicyError::Schema { .. }), "{error}");
}

#[test]
fn ids_are_required_and_unique() {
    let named = "@id(\"x\")\npermit (principal, action, resource);\n";
    let other = "@id(\"y\")\npermit (principal, action, resource);\n";
    assert_eq!(refused(&format!("{named}{other}{named}")), PolicyError::DuplicateId { id: id("x"), line: 5 });
    let nameless = format!("{named}\npermit (principal, action, resource);\n");
    assert_eq!(refused(&nameless), PolicyError::MissingId { line: 4 });
    let bad = "@id(\"a b\")\npermit (principal, action, resource);\n";
    assert_eq!(refused(bad), PolicyError::BadId { line: 1, cause: IdError::Character });
}

#[test]
fn annotations_are_checked() {
    let wrong = [
        ("permit", "obligations", "review"),
        ("permit", "obligation", "rewiev"),
        ("permit", "obligation", ""),
        ("permit", "valid_for_s", "0"),
        ("permit", "valid_for_s", "43201"),
        ("permit", "valid_for_s", "-1"),
        ("permit", "valid_for_s", "5 min"),
        ("permit", "reason", "TYPING_DIFFERS"),
        ("forbid", "reason", "typing_differs"),
        ("forbid", "valid_for_s", "60"),
        ("permit", "description", " "),
    ];
    for (effect, name, value) in wrong {
        let text = format!("\n@id(\"x\")\n@{name}(\"{value}\")\n{effect} (principal, action, resource);");
        let error = refused(&text);
        let PolicyError::Annotation { id: named, line, name: told, .. } = &error else {
            panic!("{name}={value}: {error}");
        };
        assert_eq!((named, *line, told.as_str()), (&id("x"), 2, name), "{error}");
    }
}

#[test]
fn templates_and_oversized_texts_are_refused() {
    let template = "@id(\"t\") permit (principal == ?principal, action, resource);";
    assert_eq!(refused(template), PolicyError::Template { id: "t".into() });
    assert_eq!(refused(&" ".repeat(MAX_POLICY_BYTES + 1)), PolicyError::TooLong);
    let many = (0..=MAX_POLICIES).map(|i| format!("@id(\"p{i}\") permit (principal, action, resource);\n"));
    assert_eq!(refused(&many.collect::<String>()), PolicyError::TooMany);
}

#[test]
fn nesting_and_chains_are_bounded_so_that_no_text_exhausts_the_stack() {
    let shapes: [fn(usize) -> String; 7] = [
        |n| format!("{}true{}", "(".repeat(n), ")".repeat(n)),
        |n| format!("{}true", "!".repeat(n)),
        |n| format!("{}1 == 1", "-".repeat(n)),
        |n| format!("context{}", ".a".repeat(n)),
        |n| format!("{}true", "true || ".repeat(n)),
        |n| format!("{}1 == 1", "1 + ".repeat(n)),
        |n| format!("{}true", "if true then true else ".repeat(n)),
    ];
    for shape in shapes {
        let too_much = rule("permit", &shape(8000));
        assert_eq!(refused(&too_much), PolicyError::TooComplex { line: 3 }, "{}", &too_much[..80]);
        for n in [10, 31, 32, 60, 100, 127, 200, 255] {
            // Whether it is a policy matters not; that it is answered does.
            let _ = PolicySet::parse(&rule("permit", &shape(n)));
        }
    }
}

#[test]
fn signs_in_strings_and_comments_are_not_counted() {
    let comment = format!("// {}\n", "((((!!!!&&&&||||.....".repeat(100));
    let role = r#"principal in Role::"a\"((((((((((((((((((((((((((((((((((((((((b""#;
    let set = PolicySet::parse(&format!("{comment}{}", rule("permit", role))).unwrap();
    assert_eq!(set.roles().len(), 1);
}

#[test]
fn no_policies_deny_everything() {
    let set = PolicySet::parse("").unwrap();
    let mut facts = facts("clinician", ActionKind::Read, Sensitivity::Routine);
    facts.passkey = hardware(0);
    assert_eq!(word(&set.decide(&facts)), "deny");
}

#[test]
fn the_digest_is_of_the_text() {
    let text = rule("permit", "context.break_glass");
    let digest = PolicySet::parse(&text).unwrap().digest();
    assert_eq!(digest, PolicySet::parse(&text).unwrap().digest());
    assert_ne!(digest, PolicySet::parse(&format!("{text}// more")).unwrap().digest());
}

#[test]
fn every_shipped_policy_is_named_and_described() {
    let text = include_str!("../../policies/telemedicine.cedar");
    let set = PolicySet::default_set();
    let policies = set.policy_ids().count();
    assert!(policies > 20);
    assert_eq!(text.lines().filter(|line| line.starts_with("@description(\"")).count(), policies);
    let roles: Vec<&str> = set.roles().into_iter().collect();
    assert_eq!(roles, ["administrator", "clinician", "front_desk", "nurse", "pharmacist"]);
}

#[test]
fn a_policy_that_cannot_be_evaluated_forbids_and_is_named() {
    // Overflows when typing failed attempts are counted; Cedar itself would pass over the forbid.
    let open = "@id(\"open\") permit (principal, action, resource);";
    let broken = "@id(\"broken\") forbid (principal, action, resource)
        when { context.recent_failures * 9223372036854775807 > 10 };";
    let set = PolicySet::parse(&format!("{open}\n{broken}")).unwrap();
    let mut facts = facts("clinician", ActionKind::Read, Sensitivity::Routine);
    assert_eq!(word(&set.decide(&facts)), "allow");
    facts.recent_failures = 2;
    assert_eq!(set.permits(&facts), Err(PolicyError::Evaluation { id: id("broken") }));
    let verdict = set.decide(&facts);
    assert_eq!((verdict.outcome, verdict.policies.as_slice()), (Outcome::Deny, [id("broken")].as_slice()));
}

#[test]
fn a_policy_that_denies_for_behaviour_is_held_at_a_step_up() {
    let permit = "@id(\"open\") permit (principal, action, resource) when { context.passkey_age_s <= 3600 };";
    let observations = [
        "context.behaviour == Behaviour::\"high\"",
        "context.replayed",
        "context.machine_like",
        "context.record_access_burst",
        "context.maturity == Maturity::\"learning\"",
        "context.model_missing",
        "context.nonce == Nonce::\"reused\"",
    ];
    for observation in observations {
        let forbid = format!("@reason(\"TYPING_DIFFERS\") {}", rule("forbid", observation));
        let set = PolicySet::parse(&format!("{permit}\n{forbid}")).unwrap();
        let mut facts = facts("nurse", ActionKind::Read, Sensitivity::Clinical);
        facts.passkey = passkey(0);
        assert_eq!(word(&set.decide(&facts)), "allow", "{observation}");
        facts.behaviour = Some(Band::High);
        facts.maturity = Maturity::Learning;
        facts.integrity.replayed = true;
        facts.integrity.machine_like = true;
        facts.integrity.nonce = keyward_policy::NonceState::Reused;
        facts.record_access_burst = true;
        facts.missing.model = true;
        let verdict = set.decide(&facts);
        assert_eq!(word(&verdict), "passkey", "{observation}");
        let expected =
            [ReasonCode::PolicyNeedsEvidence, ReasonCode::BehaviourCapped, ReasonCode::TypingDiffers];
        assert_eq!(verdict.reasons, expected, "{observation}");
        assert_eq!(verdict.policies, [id("x")], "{observation}");
    }
}

#[test]
fn the_cap_keeps_the_rung_that_factors_need() {
    let set = PolicySet::parse(
        "@id(\"open\") permit (principal, action, resource) when { context.hardware_passkey_age_s <= 60 };
         @id(\"no\") forbid (principal, action, resource) when { context.replayed };
         @id(\"never\") forbid (principal in Role::\"guest\", action, resource);",
    )
    .unwrap();
    let mut replayed = facts("nurse", ActionKind::Read, Sensitivity::Clinical);
    replayed.integrity.replayed = true;
    assert_eq!(word(&set.decide(&replayed)), "hardware_passkey");
    replayed.roles = crate::common::roles(&["guest"]);
    let verdict = set.decide(&replayed);
    assert_eq!(word(&verdict), "deny", "denied without behaviour too");
    assert_eq!(verdict.policies, [id("no"), id("never")]);
}

#[test]
fn behaviour_stands_in_for_no_factor_whatever_policies_say() {
    let set = PolicySet::parse(&rule("permit", "context.behaviour == Behaviour::\"low\"")).unwrap();
    let ask = |kind, sensitivity, change: fn(&mut keyward_policy::Facts)| {
        let mut facts = facts("nurse", kind, sensitivity);
        facts.behaviour = Some(Band::Low);
        change(&mut facts);
        set.decide(&facts).outcome
    };
    assert_eq!(ask(ActionKind::Login, Sensitivity::Routine, |_| {}), Outcome::StepUp);
    assert_eq!(ask(ActionKind::Login, Sensitivity::Routine, |f| f.claims = password(0)), Outcome::Allow);
    assert_eq!(ask(ActionKind::Read, Sensitivity::Clinical, |f| f.claims = password(0)), Outcome::StepUp);
    assert_eq!(ask(ActionKind::Sign, Sensitivity::Routine, |f| f.claims = password(0)), Outcome::StepUp);
    assert_eq!(ask(ActionKind::Read, Sensitivity::Clinical, |f| f.passkey = passkey(0)), Outcome::Allow);
}

#[test]
fn emergency_access_keeps_its_duties_whatever_policies_say() {
    let text = "@id(\"x\") @valid_for_s(\"43200\") permit (principal, action, resource) when { context.break_glass };";
    let mut facts = facts("nurse", ActionKind::Read, Sensitivity::Restricted);
    facts.passkey = passkey(0);
    facts.break_glass = true;
    let verdict = PolicySet::parse(text).unwrap().decide(&facts);
    assert_eq!(verdict.obligations, [NotifyUser, AlertSecurity, Review, TimeBox]);
    assert_eq!(verdict.valid_for, Duration::from_hours(1));
}
