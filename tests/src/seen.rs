//! What a caller sees of a decision, in the words of the domain: what cases speak of and doors are compared by.

use keyward_api::convert::WireEnum;
use keyward_api::v1;
use keyward_domain::{Aal, Band, Evidence, Obligation, Outcome, ReasonCode};

/// A decision without what differs from call to call: ids, times, challenge, token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What must happen next.
    pub outcome: Outcome,
    /// What would be enough.
    pub evidence: Option<Evidence>,
    /// Whether a challenge came with it.
    pub challenge: bool,
    /// Why, in order.
    pub reasons: Vec<ReasonCode>,
    /// What the caller must do besides.
    pub obligations: Vec<Obligation>,
    /// The band of the risk.
    pub band: Option<Band>,
    /// What is proven.
    pub aal: Aal,
    /// By which methods.
    pub amr: Vec<String>,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// Whether a token came with it.
    pub token: bool,
    /// Whether it was recorded.
    pub recorded: bool,
}

impl From<&v1::Decision> for Seen {
    fn from(decision: &v1::Decision) -> Self {
        let assurance = decision.assurance.clone().unwrap_or_default();
        let step_up = decision.step_up.as_ref();
        Self {
            outcome: known(decision.outcome),
            evidence: step_up.map(|step_up| known(step_up.evidence)),
            challenge: step_up.is_some_and(|step_up| !step_up.ceremony_id.is_empty()),
            reasons: decision.reasons.iter().map(|reason| known(reason.code)).collect(),
            obligations: decision.obligations.iter().map(|obligation| known(*obligation)).collect(),
            band: decision.risk.as_ref().map(|risk| known(risk.band)),
            aal: level(assurance.aal),
            amr: assurance.amr,
            policies: decision.policies.clone(),
            token: !decision.token.is_empty(),
            recorded: decision.audit_index.is_some(),
        }
    }
}

impl Seen {
    /// Whether a reason is given.
    pub fn says(&self, code: ReasonCode) -> bool {
        self.reasons.contains(&code)
    }
}

fn known<T: WireEnum>(number: i32) -> T {
    T::from_number(number).expect("keyward sends known values")
}

fn level(number: i32) -> Aal {
    let index = usize::try_from(number).expect("levels count from zero");
    *Aal::ALL.get(index).expect("a known level")
}
