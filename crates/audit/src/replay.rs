//! Asking the policy again.

use keyward_policy::PolicySet;

use crate::DecisionRecord;

/// What came of asking again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The same answer.
    Same,
    /// The policy at hand is not the one that decided.
    OtherPolicy,
    /// Another answer, though the policy is the same: the record or the program is wrong.
    Differs {
        /// The answer now, with the policies that gave it.
        now: String,
    },
}

/// Asks the policy that decided the same question again.
pub fn replay(record: &DecisionRecord, policy: &PolicySet) -> Replay {
    if hex(&policy.digest()) != record.policy_digest {
        return Replay::OtherPolicy;
    }
    let now = policy.decide(&record.facts);
    if now.outcome == record.outcome && now.evidence == record.evidence && now.policies == record.policies {
        return Replay::Same;
    }
    Replay::Differs { now: format!("{} {:?}", now.outcome, now.policies) }
}

/// Lower-case hexadecimal, as records write digests.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
