//! Signals as a record holds them: what a signal does not say is left out, which halves a record.

use keyward_domain::{Maturity, Signal, SignalKind, SignalStatus};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A [`Signal`] without what goes without saying: a scored signal of no model, which says nothing either way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Terse {
    kind: SignalKind,
    #[serde(default = "scored", skip_serializing_if = "is_scored")]
    status: SignalStatus,
    #[serde(default, skip_serializing_if = "is_zero")]
    llr: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maturity: Option<Maturity>,
    #[serde(default, skip_serializing_if = "is_none_u32")]
    samples: u32,
    #[serde(default, skip_serializing_if = "is_none_u64")]
    profile_version: u64,
}

/// The maturity of a signal that does not say one: rules are mature when they score, and what was not scored is learning.
const fn implied(status: SignalStatus) -> Maturity {
    match status {
        SignalStatus::Scored => Maturity::Mature,
        _ => Maturity::Learning,
    }
}

pub(crate) fn serialize<S: Serializer>(signals: &[Signal], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(signals.iter().map(|signal| Terse {
        kind: signal.kind,
        status: signal.status,
        llr: signal.llr,
        score: signal.score,
        maturity: (signal.maturity != implied(signal.status)).then_some(signal.maturity),
        samples: signal.samples,
        profile_version: signal.profile_version,
    }))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Signal>, D::Error> {
    let terse = Vec::<Terse>::deserialize(from)?;
    let whole = |terse: Terse| Signal {
        kind: terse.kind,
        status: terse.status,
        llr: terse.llr,
        score: terse.score,
        maturity: terse.maturity.unwrap_or(implied(terse.status)),
        samples: terse.samples,
        profile_version: terse.profile_version,
    };
    Ok(terse.into_iter().map(whole).collect())
}

const fn scored() -> SignalStatus {
    SignalStatus::Scored
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_scored(status: &SignalStatus) -> bool {
    *status == SignalStatus::Scored
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(llr: &f32) -> bool {
    llr.to_bits() == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_none_u32(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_none_u64(version: &u64) -> bool {
    *version == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Held(#[serde(with = "super")] Vec<Signal>);

    #[test]
    fn what_is_left_out_comes_back() {
        let mut signals = Vec::new();
        for kind in SignalKind::ALL {
            for status in SignalStatus::ALL {
                signals.push(Signal::unscored(*kind, *status));
                let scored =
                    Signal { llr: -0.5, score: Some(0.0), samples: 50, ..Signal::unscored(*kind, *status) };
                signals.push(Signal { maturity: Maturity::Mature, profile_version: 7, ..scored.clone() });
                signals.push(Signal { maturity: Maturity::Provisional, llr: 0.0, ..scored });
            }
        }
        let held = Held(signals);
        let json = serde_json::to_string(&held).unwrap();
        assert_eq!(serde_json::from_str::<Held>(&json).unwrap(), held);
        let quiet = Signal {
            maturity: Maturity::Mature,
            ..Signal::unscored(SignalKind::Context, SignalStatus::Scored)
        };
        assert_eq!(serde_json::to_string(&Held(vec![quiet])).unwrap(), r#"[{"kind":"context"}]"#);
    }
}
