//! What the shipped policies say, rule by rule.

use std::time::Duration;

use crate::common::{facts, hardware, passkey, password, roles, word};
use keyward_domain::ActionKind::{Administer, Export, Login, Prescribe, Read, Resume, Sign, Write};
use keyward_domain::Obligation::{self, AlertSecurity, NotifyUser, Review, TimeBox};
use keyward_domain::Sensitivity::{Clinical, Controlled, Restricted, Routine};
use keyward_domain::{ActionKind, Band, DeviceClass, Evidence, Maturity, Outcome, ReasonCode, Sensitivity};
use keyward_policy::{ClaimAges, Facts, NonceState, PasskeyFact, PolicySet, Verdict};

const MIN: u64 = 60;
const HOUR: u64 = 3600;
const EVERYONE: [&str; 6] = ["clinician", "nurse", "pharmacist", "front_desk", "administrator", "gardener"];

/// A name for a case, and what it changes.
type Case<T> = (T, fn(&mut Facts));

thread_local! {
    static SET: PolicySet = PolicySet::default_set();
}

fn decide(facts: &Facts) -> Verdict {
    SET.with(|set| set.decide(facts))
}

/// The verdict on `role` doing this, once `change` has been made to facts in which nothing is proven.
fn said(
    role: &str,
    kind: ActionKind,
    sensitivity: Sensitivity,
    change: impl FnOnce(&mut Facts),
) -> &'static str {
    let mut facts = facts(role, kind, sensitivity);
    change(&mut facts);
    word(&decide(&facts))
}

fn with_passkey(role: &str, kind: ActionKind, sensitivity: Sensitivity, age_s: u64) -> &'static str {
    said(role, kind, sensitivity, |f| f.passkey = passkey(age_s))
}

fn with_hardware(role: &str, kind: ActionKind, sensitivity: Sensitivity, age_s: u64) -> &'static str {
    said(role, kind, sensitivity, |f| f.passkey = hardware(age_s))
}

#[test]
fn a_fresh_passkey_opens_a_session_for_every_role() {
    for role in EVERYONE {
        assert_eq!(with_passkey(role, Login, Routine, 5 * MIN), "allow", "{role}");
        assert_eq!(with_passkey(role, Login, Routine, 5 * MIN + 1), "passkey", "{role}");
        assert_eq!(said(role, Login, Routine, |_| {}), "passkey", "{role} without anything");
    }
    let presence_only = Some(PasskeyFact { age_s: 0, user_verified: false, hardware_bound: true });
    assert_eq!(said("nurse", Login, Routine, |f| f.passkey = presence_only), "passkey");
}

fn typed_login(role: &str, change: impl FnOnce(&mut Facts)) -> &'static str {
    said(role, Login, Routine, |f| {
        f.claims = password(10 * MIN);
        f.behaviour = Some(Band::Low);
        change(f);
    })
}

#[test]
fn a_password_with_well_known_typing_opens_a_session_on_a_known_device() {
    for role in ["clinician", "nurse", "pharmacist", "front_desk"] {
        assert_eq!(typed_login(role, |_| {}), "allow", "{role}");
    }
    assert_eq!(typed_login("administrator", |_| {}), "passkey");
    assert_eq!(typed_login("gardener", |_| {}), "passkey");
    assert_eq!(typed_login("nurse", |f| f.roles = roles(&["nurse", "administrator"])), "passkey");

    let spoilt: [Case<&str>; 15] = [
        ("no password", |f| f.claims = ClaimAges::default()),
        ("an old password", |f| f.claims = password(10 * MIN + 1)),
        ("silent typing", |f| f.behaviour = None),
        ("unusual typing", |f| f.behaviour = Some(Band::Medium)),
        ("very unusual typing", |f| f.behaviour = Some(Band::High)),
        ("typing being learned", |f| f.maturity = Maturity::Learning),
        ("a new device", |f| f.device_known = Some(false)),
        ("a device that could not be looked up", |f| f.device_known = None),
        ("a replay", |f| f.integrity.replayed = true),
        ("a machine", |f| f.integrity.machine_like = true),
        ("no nonce", |f| f.integrity.nonce = NonceState::Missing),
        ("an unverified nonce", |f| {
            f.integrity.nonce = NonceState::Unverified;
        }),
        ("failures", |f| f.recent_failures = 3),
        ("too many attempts", |f| f.attempts_limited = true),
        ("a journey that cannot have been made", |f| f.travel_impossible = true),
    ];
    for (what, spoil) in spoilt {
        assert_eq!(typed_login("clinician", spoil), "passkey", "{what}");
    }
}

#[test]
fn provisional_typing_spares_less() {
    let provisional = |change: fn(&mut Facts)| {
        typed_login("nurse", |f| {
            f.maturity = Maturity::Provisional;
            change(f);
        })
    };
    assert_eq!(provisional(|_| {}), "allow");
    assert_eq!(provisional(|f| f.device_class = DeviceClass::Phone), "allow");
    assert_eq!(provisional(|f| f.device_class = DeviceClass::SharedWorkstation), "passkey");
    assert_eq!(provisional(|f| f.network_known = Some(false)), "passkey");
    assert_eq!(provisional(|f| f.device_known = Some(false)), "passkey");
    assert_eq!(provisional(|f| f.recent_failures = 1), "passkey");
}

#[test]
fn a_badge_or_sso_opens_a_session_on_a_known_shared_device() {
    let tapped = |age_s| ClaimAges { badge_age_s: Some(age_s), ..ClaimAges::default() };
    let sso = ClaimAges { sso_age_s: Some(MIN), ..ClaimAges::default() };
    let on = |device, claims, change: fn(&mut Facts)| {
        said("nurse", Login, Routine, |f| {
            f.device_class = device;
            f.claims = claims;
            change(f);
        })
    };
    for device in [DeviceClass::SharedWorkstation, DeviceClass::Kiosk, DeviceClass::Vdi] {
        assert_eq!(on(device, tapped(10 * MIN), |_| {}), "allow", "{device}");
        assert_eq!(on(device, sso, |_| {}), "allow", "{device}");
        assert_eq!(on(device, tapped(10 * MIN + 1), |_| {}), "passkey", "{device}");
        assert_eq!(on(device, tapped(MIN), |f| f.device_known = None), "passkey", "{device}");
        assert_eq!(on(device, tapped(MIN), |f| f.behaviour = Some(Band::Medium)), "allow", "{device}");
        assert_eq!(on(device, tapped(MIN), |f| f.behaviour = Some(Band::High)), "passkey", "{device}");
    }
    assert_eq!(on(DeviceClass::Personal, sso, |_| {}), "passkey");
    assert_eq!(on(DeviceClass::Phone, tapped(MIN), |_| {}), "passkey");
}

#[test]
fn what_is_routine_is_open_within_the_shift() {
    for role in EVERYONE {
        for kind in [Resume, Read] {
            assert_eq!(
                said(role, kind, Routine, |f| f.claims = password(12 * HOUR)),
                "allow",
                "{role} {kind}"
            );
            assert_eq!(
                said(role, kind, Routine, |f| f.claims = password(12 * HOUR + 1)),
                "passkey",
                "{role} {kind}"
            );
            assert_eq!(said(role, kind, Routine, |_| {}), "passkey", "{role} {kind}");
        }
    }
    let shared = |age_s| {
        said("nurse", Read, Routine, |f| {
            f.device_class = DeviceClass::Vdi;
            f.claims = password(age_s);
        })
    };
    assert_eq!(shared(4 * HOUR), "allow");
    assert_eq!(shared(4 * HOUR + 1), "passkey");
    assert_eq!(said("front_desk", Write, Routine, |f| f.claims = password(HOUR)), "allow");
    assert_eq!(said("gardener", Write, Routine, |f| f.claims = password(HOUR)), "deny");
}

#[test]
fn charts_are_for_clinical_staff_with_a_passkey_of_this_shift() {
    for role in ["clinician", "nurse", "pharmacist"] {
        for kind in [Read, Write] {
            assert_eq!(with_passkey(role, kind, Clinical, 12 * HOUR), "allow", "{role} {kind}");
            assert_eq!(with_passkey(role, kind, Clinical, 12 * HOUR + 1), "passkey", "{role} {kind}");
            assert_eq!(said(role, kind, Clinical, |f| f.claims = password(0)), "passkey", "{role} {kind}");
        }
    }
    for role in ["front_desk", "administrator", "gardener"] {
        assert_eq!(with_hardware(role, Read, Clinical, 0), "deny", "{role}");
        assert_eq!(with_hardware(role, Write, Clinical, 0), "deny", "{role}");
    }
    for device in [DeviceClass::SharedWorkstation, DeviceClass::Kiosk, DeviceClass::Vdi] {
        let shared = |age_s| {
            said("nurse", Read, Clinical, |f| {
                f.device_class = device;
                f.passkey = passkey(age_s);
                f.claims = password(0);
            })
        };
        assert_eq!(shared(4 * HOUR), "allow", "{device}");
        assert_eq!(shared(4 * HOUR + 1), "passkey", "{device}");
    }
}

#[test]
fn restricted_records_are_for_the_care_team_and_for_emergencies() {
    for kind in [Read, Write] {
        assert_eq!(with_passkey("pharmacist", kind, Restricted, HOUR), "allow", "{kind}");
        assert_eq!(with_passkey("pharmacist", kind, Restricted, HOUR + 1), "passkey", "{kind}");
        for in_care_team in [Some(false), None] {
            let outside = |role, break_glass| {
                said(role, kind, Restricted, |f| {
                    f.action.in_care_team = in_care_team;
                    f.passkey = passkey(MIN);
                    f.break_glass = break_glass;
                })
            };
            assert_eq!(outside("clinician", false), "break_glass", "{kind} {in_care_team:?}");
            assert_eq!(outside("nurse", false), "break_glass", "{kind} {in_care_team:?}");
            assert_eq!(outside("nurse", true), "allow", "{kind} {in_care_team:?}");
            assert_eq!(outside("pharmacist", true), "deny", "{kind} {in_care_team:?}");
            assert_eq!(outside("administrator", true), "deny", "{kind} {in_care_team:?}");
        }
    }
}

#[test]
fn emergency_access_is_short_loud_and_reviewed() {
    let mut facts = facts("clinician", Read, Restricted);
    facts.action.in_care_team = Some(false);
    facts.passkey = passkey(0);
    facts.break_glass = true;
    let verdict = decide(&facts);
    assert_eq!(verdict.outcome, Outcome::Allow);
    assert_eq!(verdict.reasons, [ReasonCode::BreakGlassGranted]);
    assert_eq!(verdict.obligations, [NotifyUser, AlertSecurity, Review, TimeBox]);
    assert_eq!(verdict.valid_for, Duration::from_mins(15));
    assert_eq!(verdict.policies[0].as_str(), "restricted.break-glass");

    facts.action.in_care_team = Some(true);
    let ordinary = decide(&facts);
    assert_eq!(ordinary.reasons, [ReasonCode::PolicyPermits], "who may anyway needs no emergency");
    assert_eq!(ordinary.obligations, []);
}

#[test]
fn what_binds_asks_for_a_fresher_passkey() {
    let cases = [
        // role, action, sensitivity, the oldest passkey that does
        ("clinician", Sign, Clinical, 15 * MIN),
        ("nurse", Sign, Routine, 15 * MIN),
        ("pharmacist", Sign, Restricted, 15 * MIN),
        ("clinician", Prescribe, Routine, 5 * MIN),
        ("clinician", Prescribe, Clinical, 5 * MIN),
        ("clinician", Prescribe, Restricted, 5 * MIN),
        ("pharmacist", Write, Controlled, 15 * MIN),
        ("clinician", Read, Controlled, 15 * MIN),
        ("clinician", Export, Clinical, 5 * MIN),
        ("administrator", Export, Clinical, 5 * MIN),
        ("clinician", Export, Restricted, 5 * MIN),
        ("administrator", Administer, Routine, 15 * MIN),
    ];
    for (role, kind, sensitivity, limit) in cases {
        assert_eq!(with_passkey(role, kind, sensitivity, limit), "allow", "{role} {kind} {sensitivity}");
        assert_eq!(
            with_passkey(role, kind, sensitivity, limit + 1),
            "passkey",
            "{role} {kind} {sensitivity}"
        );
        assert_eq!(said(role, kind, sensitivity, |_| {}), "passkey", "{role} {kind} {sensitivity}");
    }
    let hardware_cases = [
        ("clinician", Prescribe, Controlled, 2 * MIN),
        ("clinician", Sign, Controlled, 2 * MIN),
        ("pharmacist", Export, Controlled, 5 * MIN),
        ("administrator", Export, Controlled, 5 * MIN),
    ];
    for (role, kind, sensitivity, limit) in hardware_cases {
        assert_eq!(with_hardware(role, kind, sensitivity, limit), "allow", "{role} {kind} {sensitivity}");
        assert_eq!(
            with_passkey(role, kind, sensitivity, 0),
            "hardware_passkey",
            "{role} {kind} {sensitivity}"
        );
        assert_eq!(
            with_hardware(role, kind, sensitivity, limit + 1),
            "passkey",
            "{role}: the same key, shown anew"
        );
    }
}

#[test]
fn what_a_role_may_not_do_no_evidence_opens() {
    let never = [
        ("nurse", Prescribe, Clinical),
        ("pharmacist", Prescribe, Clinical),
        ("pharmacist", Prescribe, Controlled),
        ("nurse", Read, Controlled),
        ("nurse", Sign, Controlled),
        ("front_desk", Sign, Routine),
        ("front_desk", Export, Routine),
        ("nurse", Export, Clinical),
        ("administrator", Export, Restricted),
        ("administrator", Read, Restricted),
        ("clinician", Administer, Routine),
        ("gardener", Administer, Routine),
    ];
    for (role, kind, sensitivity) in never {
        let mut facts = facts(role, kind, sensitivity);
        facts.passkey = hardware(0);
        facts.break_glass = true;
        let verdict = decide(&facts);
        assert_eq!(word(&verdict), "deny", "{role} {kind} {sensitivity}");
        assert_eq!(verdict.reasons, [ReasonCode::PolicyForbids]);
        assert_eq!(verdict.policies, [], "no policy permits, so none is to be named");
        assert_eq!(verdict.valid_for, Duration::ZERO);
    }
    for kind in [Sign, Prescribe, Export] {
        let outside = said("clinician", kind, Restricted, |f| {
            f.action.in_care_team = None;
            f.passkey = hardware(0);
        });
        assert_eq!(outside, "deny", "{kind}: an emergency opens records and no more");
    }
}

#[test]
fn administration_elsewhere_asks_for_hardware() {
    let elsewhere = |known, passkey| {
        said("administrator", Administer, Clinical, |f| {
            f.device_known = known;
            f.passkey = passkey;
        })
    };
    for known in [Some(false), None] {
        assert_eq!(elsewhere(known, passkey(0)), "hardware_passkey", "{known:?}");
        assert_eq!(elsewhere(known, hardware(15 * MIN)), "allow", "{known:?}");
    }
}

#[test]
fn suspicion_asks_for_a_fresh_passkey_and_says_why() {
    let suspicions: [Case<ReasonCode>; 7] = [
        (ReasonCode::TypingDiffers, |f| f.behaviour = Some(Band::High)),
        (ReasonCode::TelemetryReplayed, |f| f.integrity.replayed = true),
        (ReasonCode::TelemetryMachineLike, |f| {
            f.integrity.machine_like = true;
        }),
        (ReasonCode::NonceReused, |f| {
            f.integrity.nonce = NonceState::Reused;
        }),
        (ReasonCode::RecordAccessBurst, |f| f.record_access_burst = true),
        (ReasonCode::AttemptsLimited, |f| f.attempts_limited = true),
        (ReasonCode::TravelImpossible, |f| f.travel_impossible = true),
    ];
    for (reason, suspect) in suspicions {
        for (kind, sensitivity) in [(Resume, Routine), (Read, Routine), (Read, Clinical), (Write, Restricted)]
        {
            let mut facts = facts("clinician", kind, sensitivity);
            facts.passkey = passkey(5 * MIN + 1);
            suspect(&mut facts);
            let verdict = decide(&facts);
            assert_eq!(word(&verdict), "passkey", "{reason:?} {kind}");
            assert_eq!(verdict.reasons, [ReasonCode::PolicyNeedsEvidence, reason], "{kind}");
            facts.passkey = passkey(5 * MIN);
            assert_eq!(word(&decide(&facts)), "allow", "{reason:?} {kind}");
        }
    }
}

#[test]
fn unusual_typing_asks_for_the_passkey_of_this_hour_above_routine() {
    let typed = |sensitivity, band, maturity, age_s| {
        said("nurse", Read, sensitivity, |f| {
            f.passkey = passkey(age_s);
            f.behaviour = Some(band);
            f.maturity = maturity;
        })
    };
    assert_eq!(typed(Clinical, Band::Medium, Maturity::Mature, HOUR), "allow");
    assert_eq!(typed(Clinical, Band::Medium, Maturity::Provisional, HOUR + 1), "passkey");
    assert_eq!(typed(Clinical, Band::Low, Maturity::Mature, HOUR + 1), "allow");
    assert_eq!(typed(Routine, Band::Medium, Maturity::Mature, HOUR + 1), "allow");
    for band in [Band::Medium, Band::High] {
        assert_eq!(typed(Clinical, band, Maturity::Learning, 2 * HOUR), "allow", "learning has no say");
    }
}

#[test]
fn exports_under_suspicion_ask_for_hardware() {
    let suspicions: [fn(&mut Facts); 4] = [
        |f| f.behaviour = Some(Band::High),
        |f| f.integrity.replayed = true,
        |f| f.integrity.machine_like = true,
        |f| f.record_access_burst = true,
    ];
    for suspect in suspicions {
        let export = |passkey| {
            said("clinician", Export, Clinical, |f| {
                f.passkey = passkey;
                suspect(f);
            })
        };
        assert_eq!(export(passkey(0)), "hardware_passkey");
        assert_eq!(export(hardware(5 * MIN)), "allow");
    }
}

#[test]
fn a_passkey_in_doubt_opens_nothing_until_hardware_is_shown() {
    for passkey in [passkey(0), hardware(0)] {
        let mut facts = facts("clinician", Login, Routine);
        facts.passkey = passkey;
        facts.authenticator.counter_regressed = true;
        let verdict = decide(&facts);
        assert_eq!(verdict.evidence, Some(Evidence::HardwarePasskey));
        assert!(verdict.reasons.contains(&ReasonCode::PasskeyCounterRegressed));
        assert_eq!(verdict.obligations, [Obligation::AlertSecurity, Obligation::Review]);
    }
    let moved = |kind, role, key| {
        said(role, kind, Clinical, |f| {
            f.passkey = key;
            f.authenticator.backup_changed = true;
        })
    };
    assert_eq!(moved(Export, "clinician", passkey(0)), "hardware_passkey");
    assert_eq!(moved(Administer, "administrator", passkey(0)), "hardware_passkey");
    assert_eq!(moved(Export, "clinician", hardware(0)), "allow");
    assert_eq!(moved(Read, "clinician", passkey(0)), "allow");
}

#[test]
fn outages_ask_for_more() {
    let without_store = |kind, sensitivity, age_s| {
        said("clinician", kind, sensitivity, |f| {
            f.passkey = passkey(age_s);
            f.missing.hot_store = true;
            f.device_known = None;
            f.network_known = None;
            f.integrity.nonce = NonceState::Unverified;
        })
    };
    assert_eq!(without_store(Read, Clinical, 5 * MIN), "allow");
    assert_eq!(without_store(Read, Clinical, 5 * MIN + 1), "passkey");
    assert_eq!(without_store(Sign, Routine, 5 * MIN + 1), "passkey");
    assert_eq!(without_store(Read, Routine, 12 * HOUR), "allow");
    assert_eq!(without_store(Resume, Routine, 12 * HOUR), "allow");
    let without_model = |sensitivity, age_s| {
        said("clinician", Read, sensitivity, |f| {
            f.passkey = passkey(age_s);
            f.missing.model = true;
        })
    };
    assert_eq!(without_model(Clinical, HOUR), "allow");
    assert_eq!(without_model(Clinical, HOUR + 1), "passkey");
    assert_eq!(without_model(Routine, 12 * HOUR), "allow");
}

#[test]
fn a_step_up_names_what_stands_in_the_way_and_what_would_permit() {
    let mut facts = facts("clinician", Read, Clinical);
    facts.passkey = passkey(2 * HOUR);
    facts.behaviour = Some(Band::High);
    let verdict = decide(&facts);
    let ids: Vec<&str> = verdict.policies.iter().map(keyward_domain::PolicyId::as_str).collect();
    assert_eq!(ids, ["objection.typing-very-unusual", "clinical.read-and-write"]);
    assert_eq!(verdict.valid_for, Duration::ZERO);
}

#[test]
fn the_shortest_validity_of_the_permits_holds() {
    let valid_for = |kind, sensitivity| {
        let mut facts = facts("clinician", kind, sensitivity);
        facts.passkey = hardware(0);
        decide(&facts).valid_for
    };
    assert_eq!(valid_for(Read, Clinical), Duration::from_mins(5), "unless a policy says otherwise");
    assert_eq!(valid_for(Sign, Clinical), Duration::from_mins(2));
    assert_eq!(valid_for(Prescribe, Controlled), Duration::from_mins(1));
}
