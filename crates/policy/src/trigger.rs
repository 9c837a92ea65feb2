//! What a policy waits for. Most objections begin with one observation (`when { context.replayed && … }`)
//! that is absent from most requests; a set without them costs a fraction and gives the same answer.

use keyward_domain::Band;
use serde_json::Value;

use crate::facts::NonceState;
use crate::situation::Situation;

/// The first thing that a policy's condition looks at. While it does not hold, the policy cannot match and,
/// since Cedar evaluates from the left and stops there, cannot fail either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    Behaviour(Band),
    NonceReused,
    Replayed,
    MachineLike,
    RecordAccessBurst,
    CounterRegressed,
    BackupChanged,
    AttemptsLimited,
    HotStoreMissing,
    ModelMissing,
    BreakGlass,
}

impl Trigger {
    /// The trigger of a policy (in Cedar's JSON form), where it begins with one that is known here.
    pub(crate) fn of(policy: &Value) -> Option<Self> {
        let first = policy.get("conditions")?.get(0)?;
        if first.get("kind")? != "when" {
            return None;
        }
        let mut leftmost = first.get("body")?;
        while let Some(and) = leftmost.get("&&") {
            leftmost = and.get("left")?;
        }
        match leftmost.get("==") {
            Some(equal) => Self::word(attribute(equal.get("left")?)?, entity(equal.get("right")?)?),
            None => Self::flag(attribute(leftmost)?),
        }
    }

    /// Whether the policy may match.
    pub(crate) fn holds(self, s: &Situation) -> bool {
        match self {
            Self::Behaviour(band) => s.behaviour == Some(band),
            Self::NonceReused => s.integrity.nonce == NonceState::Reused,
            Self::Replayed => s.integrity.replayed,
            Self::MachineLike => s.integrity.machine_like,
            Self::RecordAccessBurst => s.record_access_burst,
            Self::CounterRegressed => s.authenticator.counter_regressed,
            Self::BackupChanged => s.authenticator.backup_changed,
            Self::AttemptsLimited => s.attempts_limited,
            Self::HotStoreMissing => s.hot_store_missing,
            Self::ModelMissing => s.model_missing,
            Self::BreakGlass => s.break_glass,
        }
    }

    fn flag(attribute: &str) -> Option<Self> {
        Some(match attribute {
            "replayed" => Self::Replayed,
            "machine_like" => Self::MachineLike,
            "record_access_burst" => Self::RecordAccessBurst,
            "counter_regressed" => Self::CounterRegressed,
            "backup_changed" => Self::BackupChanged,
            "attempts_limited" => Self::AttemptsLimited,
            "hot_store_missing" => Self::HotStoreMissing,
            "model_missing" => Self::ModelMissing,
            "break_glass" => Self::BreakGlass,
            _ => return None,
        })
    }

    fn word(attribute: &str, word: &str) -> Option<Self> {
        match (attribute, word) {
            ("behaviour", "medium") => Some(Self::Behaviour(Band::Medium)),
            ("behaviour", "high") => Some(Self::Behaviour(Band::High)),
            ("nonce", "reused") => Some(Self::NonceReused),
            _ => None,
        }
    }
}

/// The name in `context.name`.
fn attribute(expression: &Value) -> Option<&str> {
    let access = expression.get(".")?;
    let of_context = access.get("left")?.get("Var")? == "context";
    access.get("attr")?.as_str().filter(|_| of_context)
}

/// The id of an entity that stands there literally.
fn entity(expression: &Value) -> Option<&str> {
    expression.get("Value")?.get("__entity")?.get("id")?.as_str()
}
