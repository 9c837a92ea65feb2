//! Enumerations, total in both directions: a value added on one side does not compile until it is added here.

use keyward_domain as domain;
use keyward_engine as engine;

use super::{Checked, Path, Violations};
use crate::v1;

/// An enumeration of the domain and its counterpart in the contract.
pub trait WireEnum: Copy + Sized {
    /// The counterpart.
    type Wire: Copy + TryFrom<i32> + Into<i32>;

    /// The counterpart of a value.
    fn to_wire(self) -> Self::Wire;

    /// The value of a counterpart; none for its zero value.
    fn from_wire(wire: Self::Wire) -> Option<Self>;

    /// The number that stands for a value on the wire.
    fn number(self) -> i32 {
        self.to_wire().into()
    }

    /// The value that a number stands for; none for zero and for numbers that this version does not know.
    fn from_number(number: i32) -> Option<Self> {
        Self::Wire::try_from(number).ok().and_then(Self::from_wire)
    }
}

/// A value that must be given and known.
pub(super) fn value<T: WireEnum>(number: i32, at: Path<'_>, found: &mut Violations) -> Checked<T> {
    T::from_number(number).ok_or_else(|| refuse(number, at, found))
}

#[cold]
fn refuse(number: i32, at: Path<'_>, found: &mut Violations) -> super::violations::Refused {
    found.add(at, if number == 0 { "must be given" } else { "is not a known value" })
}

macro_rules! wire_enums {
    ($($from:ident::$name:ident = $zero:ident | $($variant:ident)*;)*) => {$(
        impl WireEnum for $from::$name {
            type Wire = v1::$name;

            fn to_wire(self) -> v1::$name {
                match self { $(Self::$variant => v1::$name::$variant,)* }
            }

            fn from_wire(wire: v1::$name) -> Option<Self> {
                match wire {
                    v1::$name::$zero => None,
                    $(v1::$name::$variant => Some(Self::$variant),)*
                }
            }
        }
    )*};
}

wire_enums! {
    domain::DeviceClass = Unspecified | Personal SharedWorkstation Kiosk Vdi Phone;
    domain::ActionKind = Unspecified | Login Resume Read Write Sign Prescribe Export Administer;
    domain::Sensitivity = Unspecified | Routine Clinical Restricted Controlled;
    domain::ClaimKind = Unspecified | Password Badge SingleSignOn;
    domain::KeyZone = Unspecified | Character LeftTop LeftHome LeftBottom RightTop RightHome RightBottom DigitLeft
        DigitRight Space Enter Backspace Tab Shift Control Navigation Punctuation Keypad Other;
    domain::Outcome = Unspecified | Allow StepUp Deny;
    domain::Band = Unspecified | Low Medium High;
    domain::SignalKind = Unspecified | KeystrokeFixed Integrity Context Authenticator RecordAccess FreeText
        Pointer Rhythm;
    domain::SignalStatus = Unspecified | Scored Absent NoModel NotComparable Unavailable;
    domain::Maturity = Unspecified | Learning Provisional Mature;
    domain::Evidence = Unspecified | Passkey HardwarePasskey BreakGlass;
    domain::Obligation = Unspecified | NotifyUser AlertSecurity Review TimeBox EndOtherSessions;
    domain::ReasonCode = Unspecified | PolicyPermits PolicyNeedsEvidence PolicyForbids BreakGlassGranted BehaviourCapped
        PasskeyVerified PasskeyRejected PasskeyTelemetryMismatch PasskeyCounterRegressed PasskeyBackupChanged
        TypingMatches TypingUnusual TypingDiffers TypingLearning TypingNotComparable TypingAbsent TelemetryReplayed
        TelemetryMachineLike NonceMissing NonceStale NonceReused DeviceNew NetworkNew RecentFailures AttemptsLimited
        RecordAccessBurst ModelUnavailable HotStoreUnavailable DeadlineShort AuditUnavailable
        TypingProofDue KeyUnavailable BehaviourOptedOut FrictionCapped HabitsUnusual HourUnusual TravelImpossible;
    engine::ReportedOutcome = Unspecified | ConfirmedUser ConfirmedAttack FalseAlarm;
}

/// The level as the contract writes it. Its zero value is a level here: nothing is proven.
pub(super) fn aal_to_wire(aal: domain::Aal) -> v1::AuthenticatorAssuranceLevel {
    match aal {
        domain::Aal::None => v1::AuthenticatorAssuranceLevel::Unspecified,
        domain::Aal::Aal1 => v1::AuthenticatorAssuranceLevel::AuthenticatorAssuranceLevel1,
        domain::Aal::Aal2 => v1::AuthenticatorAssuranceLevel::AuthenticatorAssuranceLevel2,
        domain::Aal::Aal3 => v1::AuthenticatorAssuranceLevel::AuthenticatorAssuranceLevel3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks every value of the domain: its name is the contract's name without the prefix, and it comes back.
    macro_rules! walk {
        ($($name:ident: $prefix:literal, $text:ident;)*) => {$({
            for value in domain::$name::ALL {
                let wire = value.to_wire();
                let expected = concat!($prefix, "_").to_owned() + &value.$text().to_uppercase();
                assert_eq!(wire.as_str_name(), expected);
                assert_eq!(domain::$name::from_number(value.number()), Some(*value));
            }
            assert_eq!(domain::$name::from_number(0), None, "zero is unspecified");
            let known = (-1..1000).filter(|number| domain::$name::from_number(*number).is_some()).count();
            assert_eq!(known, domain::$name::ALL.len(), "{}: no other number is known", stringify!($name));
        })*};
    }

    #[test]
    fn every_value_has_its_counterpart_of_the_same_name() {
        walk! {
            DeviceClass: "DEVICE_CLASS", name;
            ActionKind: "ACTION_KIND", name;
            Sensitivity: "SENSITIVITY", name;
            ClaimKind: "CLAIM_KIND", name;
            KeyZone: "KEY_ZONE", name;
            Outcome: "OUTCOME", name;
            Band: "BAND", name;
            SignalKind: "SIGNAL_KIND", name;
            SignalStatus: "SIGNAL_STATUS", name;
            Maturity: "MATURITY", name;
            Evidence: "EVIDENCE", name;
            Obligation: "OBLIGATION", name;
            ReasonCode: "REASON_CODE", code;
        }
    }

    #[test]
    fn reasons_are_numbered_in_the_order_of_the_catalogue() {
        for (index, code) in domain::ReasonCode::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(code.number()), Ok(index + 1));
        }
    }

    #[test]
    fn reasons_carry_the_metadata_that_the_contract_documents() {
        let documented = crate::contract::enum_comments("decision.proto", "ReasonCode");
        for (code, (name, comment)) in domain::ReasonCode::ALL.iter().zip(&documented[1..]) {
            assert_eq!(name.strip_prefix("REASON_CODE_"), Some(code.code()));
            assert_eq!(code.metadata_keys(), crate::contract::metadata_keys(comment), "{name}");
        }
        assert_eq!(documented.len(), domain::ReasonCode::ALL.len() + 1);
    }

    #[test]
    fn levels_are_numbered_as_they_are_called() {
        for (number, aal) in domain::Aal::ALL.iter().enumerate() {
            assert_eq!(usize::try_from(i32::from(aal_to_wire(*aal))), Ok(number));
        }
    }

    #[test]
    fn reports_come_back() {
        use engine::ReportedOutcome::{ConfirmedAttack, ConfirmedUser, FalseAlarm};
        let names = [ConfirmedUser, ConfirmedAttack, FalseAlarm].map(|report| {
            assert_eq!(engine::ReportedOutcome::from_number(report.number()), Some(report));
            report.to_wire().as_str_name()
        });
        let expected = ["CONFIRMED_USER", "CONFIRMED_ATTACK", "FALSE_ALARM"];
        assert_eq!(names, expected.map(|name| format!("REPORTED_OUTCOME_{name}")));
    }
}
