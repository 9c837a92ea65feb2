//! A policy set: parsed, checked against the schema, and asked one question at a time.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use aws_lc_rs::digest;
use cedar_policy::{Authorizer, Decision, Policy, Schema, ValidationMode, Validator};
use keyward_domain::PolicyId;
use miette::Diagnostic;

use crate::annotations::Meta;
use crate::facts::Facts;
use crate::memo::Memo;
use crate::request::{Person, Vocabulary};
use crate::situation::Situation;
use crate::slice::{Part, Slices, set_of};
use crate::{PolicyError, Verdict, complexity, ladder};

/// The longest policy text, in bytes.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;
/// The most policies in one set.
pub const MAX_POLICIES: usize = 512;

const SCHEMA: &str = include_str!("../policies/keyward.cedarschema");
const TELEMEDICINE: &str = include_str!("../policies/telemedicine.cedar");

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let (schema, _) =
        Schema::from_cedarschema_str(SCHEMA).expect("the schema is part of this crate and tested");
    Validator::new(schema)
});

/// A set of policies that parsed and passed the schema in strict mode.
#[derive(Debug)]
pub struct PolicySet {
    text: String,
    digest: [u8; 32],
    authorizer: Authorizer,
    vocabulary: Vocabulary,
    metas: Vec<Meta>,
    index: HashMap<cedar_policy::PolicyId, usize>,
    slices: Slices,
    memo: Memo,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the policies permit.
    pub permit: bool,
    /// The permits that hold, or the forbids that stand in the way (none where nothing permits), in file
    /// order.
    pub policies: Vec<PolicyId>,
}

/// An answer by position in the set; a failure to evaluate forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) permit: bool,
    pub(crate) by: Vec<usize>,
}

impl PolicySet {
    /// The policies that ship with keyward, for a telemedicine provider.
    ///
    /// # Panics
    /// Never: the text is part of this crate, and a test parses it.
    pub fn default_set() -> Self {
        Self::parse(TELEMEDICINE).expect("the shipped policies are part of this crate and tested")
    }

    /// Parses policies in Cedar's syntax and checks them against the schema in strict mode.
    ///
    /// # Errors
    /// [`PolicyError`] with the line and the policy: text that is not Cedar, a policy without a unique `@id`,
    /// an unknown annotation, an attribute, action or word that the schema does not know, a policy that can
    /// never apply.
    pub fn parse(policies: &str) -> Result<Self, PolicyError> {
        if policies.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong);
        }
        complexity::check(policies)?;
        let parsed: cedar_policy::PolicySet = policies.parse().map_err(|error| syntax(policies, &error))?;
        if let Some(template) = parsed.templates().next() {
            let id = template.annotation("id").map_or_else(|| template.id().to_string(), str::to_owned);
            return Err(PolicyError::Template { id });
        }
        if parsed.num_of_policies() > MAX_POLICIES {
            return Err(PolicyError::TooMany);
        }
        let (metas, named) = name(policies, &parsed)?;
        validate(policies, &named)?;
        let vocabulary = Vocabulary::new(roles(&named))?;
        Ok(Self {
            text: policies.to_owned(),
            digest: digest_of(SCHEMA, policies),
            authorizer: Authorizer::new(),
            slices: Slices::new(&vocabulary, &named)?,
            index: named.iter().enumerate().map(|(i, policy)| (policy.id().clone(), i)).collect(),
            vocabulary,
            metas,
            memo: Memo::default(),
        })
    }

    /// SHA-256 of the policy text and the schema it was read under: the version that a decision names.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The policies as they were read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The schema that policies are read under.
    pub fn schema() -> &'static str {
        SCHEMA
    }

    /// The roles that some policy names; a person's other roles make no difference.
    pub fn roles(&self) -> BTreeSet<&str> {
        self.vocabulary.roles().iter().map(String::as_str).collect()
    }

    /// The ids of all policies, in file order.
    pub fn policy_ids(&self) -> impl Iterator<Item = &PolicyId> {
        self.metas.iter().map(|meta| &meta.id)
    }

    /// Asks one question: do the policies permit this with the facts as they are?
    ///
    /// # Errors
    /// [`PolicyError::Evaluation`] when a policy could not be evaluated; to be taken as forbidden.
    pub fn permits(&self, facts: &Facts) -> Result<Answer, PolicyError> {
        let situation = Situation::from(facts);
        let ruling = self.ask(&self.vocabulary.person(&facts.roles), &situation)?;
        Ok(Answer { permit: ruling.permit, policies: self.ids(&ruling.by) })
    }

    /// Decides: the facts as they are, then each rung of stronger evidence. Total: what cannot be evaluated
    /// is forbidden, and the verdict names the policy.
    pub fn decide(&self, facts: &Facts) -> Verdict {
        ladder::decide(self, &self.vocabulary.person(&facts.roles), Situation::from(facts))
    }

    pub(crate) fn meta(&self, policy: usize) -> &Meta {
        &self.metas[policy]
    }

    pub(crate) fn ids(&self, policies: &[usize]) -> Vec<PolicyId> {
        policies.iter().map(|policy| self.meta(*policy).id.clone()).collect()
    }

    /// One question; an error forbids in the name of the policies that failed.
    pub(crate) fn rule(&self, person: &Person, situation: &Situation) -> Ruling {
        self.ask(person, situation).unwrap_or_else(|error| {
            let failed = |id: &PolicyId| self.metas.iter().position(|meta| meta.id == *id);
            let by = if let PolicyError::Evaluation { id } = &error { failed(id) } else { None };
            Ruling { permit: false, by: by.into_iter().collect() }
        })
    }

    fn ask(&self, person: &Person, situation: &Situation) -> Result<Ruling, PolicyError> {
        let part = self.slices.of(situation);
        let question =
            part.classes.as_ref().and_then(|classes| classes.question(part.number, person, situation));
        if let Some(ruling) = question.as_ref().and_then(|question| self.memo.get(question)) {
            return Ok(ruling);
        }
        let ruling = self.ask_anew(part, person, situation)?;
        if let Some(question) = question {
            self.memo.put(question, ruling.clone());
        }
        Ok(ruling)
    }

    fn ask_anew(&self, part: &Part, person: &Person, situation: &Situation) -> Result<Ruling, PolicyError> {
        let request = self.vocabulary.request(situation, &part.attributes)?;
        let person = self.vocabulary.entities(person)?;
        let response = self.authorizer.is_authorized(&request, &part.policies, &person);
        // Cedar skips a policy that fails; here a forbid that could not be evaluated must not be passed over.
        let failed = response.diagnostics().errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => self.index[error.policy_id()],
        });
        if let Some(failed) = failed.min() {
            return Err(PolicyError::Evaluation { id: self.metas[failed].id.clone() });
        }
        let mut by: Vec<usize> = response.diagnostics().reason().map(|id| self.index[id]).collect();
        by.sort_unstable();
        Ok(Ruling { permit: response.decision() == Decision::Allow, by })
    }
}

/// Gives every policy its `@id` as its id, in file order.
fn name(text: &str, parsed: &cedar_policy::PolicySet) -> Result<(Vec<Meta>, Vec<Policy>), PolicyError> {
    let mut policies: Vec<(usize, &Policy)> = parsed.policies().map(|p| (number(p), p)).collect();
    policies.sort_unstable_by_key(|(number, _)| *number);
    let mut metas: Vec<Meta> = Vec::with_capacity(policies.len());
    let mut named = Vec::with_capacity(policies.len());
    let mut from = 0;
    for (_, policy) in policies {
        let source = policy.to_cedar().unwrap_or_default();
        from += text[from..].find(&source).unwrap_or(0);
        let line = line_at(text, from);
        from += source.len();
        let meta = Meta::read(policy, line)?;
        if metas.iter().any(|other| other.id == meta.id) {
            return Err(PolicyError::DuplicateId { id: meta.id, line });
        }
        named.push(policy.new_id(cedar_policy::PolicyId::new(meta.id.as_str())));
        metas.push(meta);
    }
    Ok((metas, named))
}

/// The parser calls policies `policy0`, `policy1`, … in file order.
fn number(policy: &Policy) -> usize {
    let id: &str = policy.id().as_ref();
    id.trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}

fn validate(text: &str, named: &[Policy]) -> Result<(), PolicyError> {
    let set = set_of(named.iter().cloned())?;
    let result = VALIDATOR.validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|e| schema_error(text, e.policy_id(), e));
    // A warning tells of a policy that can never apply or of confusable characters: never what was meant.
    let warnings = result.validation_warnings().map(|w| schema_error(text, w.policy_id(), w));
    let first = errors.chain(warnings).min_by_key(|error| match error {
        PolicyError::Schema { line, .. } => *line,
        _ => 0,
    });
    first.map_or(Ok(()), Err)
}

fn schema_error<E: Diagnostic>(text: &str, id: &cedar_policy::PolicyId, error: &E) -> PolicyError {
    match PolicyId::parse(<cedar_policy::PolicyId as AsRef<str>>::as_ref(id)) {
        Ok(id) => PolicyError::Schema { id, line: line_of(text, error), detail: detail(error) },
        Err(cause) => PolicyError::BadId { line: line_of(text, error), cause },
    }
}

fn syntax(text: &str, errors: &cedar_policy::ParseErrors) -> PolicyError {
    PolicyError::Syntax { line: line_of(text, errors), detail: errors.to_string() }
}

fn detail<E: Diagnostic>(error: &E) -> String {
    match error.help() {
        Some(help) => format!("{error} ({help})"),
        None => error.to_string(),
    }
}

fn line_of<E: Diagnostic>(text: &str, error: &E) -> usize {
    let first = error.labels().and_then(|mut labels| labels.next());
    line_at(text, first.map_or(0, |label| label.offset()))
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The roles that policies name.
fn roles(policies: &[Policy]) -> BTreeSet<String> {
    let literals = policies.iter().flat_map(Policy::entity_literals);
    let roles = literals.filter(|uid| uid.type_name().to_string() == "Role");
    roles.map(|uid| uid.id().unescaped().to_owned()).collect()
}

/// The digest of policies that are read under a schema; see [`PolicySet::digest`].
pub fn digest_of(schema: &str, policies: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [schema, policies] {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use cedar_policy::Request;
    use keyward_domain::{
        Action, ActionKind, Band, DeviceClass, Evidence, Maturity, RoleName, Sensitivity, SubjectId,
        SubjectKey, TenantId,
    };

    use super::*;
    use crate::facts::{IntegrityFacts, MissingFacts, NonceState, PasskeyFact};
    use crate::request::ATTRIBUTES;
    use crate::trigger::Trigger;

    const CHANGES: [fn(&mut Facts); 13] = [
        |_| {},
        |f| f.behaviour = Some(Band::Low),
        |f| f.behaviour = Some(Band::Medium),
        |f| f.behaviour = Some(Band::High),
        |f| f.integrity = IntegrityFacts { replayed: true, ..f.integrity },
        |f| f.integrity = IntegrityFacts { machine_like: true, ..f.integrity },
        |f| f.integrity = IntegrityFacts { nonce: NonceState::Reused, ..f.integrity },
        |f| f.record_access_burst = true,
        |f| f.authenticator.counter_regressed = true,
        |f| f.authenticator.backup_changed = true,
        |f| f.attempts_limited = true,
        |f| f.missing = MissingFacts { hot_store: true, model: false },
        |f| f.missing = MissingFacts { hot_store: false, model: true },
    ];

    /// Every action, sensitivity, trigger and rung, for a few people.
    fn situations() -> Vec<(Facts, Situation)> {
        let who =
            SubjectKey { tenant: TenantId::parse("t").unwrap(), subject: SubjectId::parse("s").unwrap() };
        let mut all = Vec::new();
        for (kind, sensitivity) in
            ActionKind::ALL.iter().flat_map(|k| Sensitivity::ALL.iter().map(|s| (*k, *s)))
        {
            for names in [vec!["clinician"], vec!["administrator", "nurse"], vec!["guest"]] {
                let roles: Vec<_> = names.iter().map(|name| RoleName::parse(*name).unwrap()).collect();
                let action = Action { kind, sensitivity, in_care_team: None };
                for change in CHANGES {
                    let (who, roles) = (who.clone(), roles.clone());
                    let mut facts = Facts::unproven(who, roles, action.clone(), DeviceClass::Kiosk);
                    facts.maturity = Maturity::Mature;
                    change(&mut facts);
                    let bare = Situation::from(&facts);
                    all.push((facts.clone(), bare));
                    all.extend(Evidence::ALL.iter().map(|rung| (facts.clone(), bare.with(*rung))));
                }
            }
        }
        all
    }

    fn full_request(set: &PolicySet, situation: &Situation) -> Request {
        let attributes: Vec<usize> = (0..ATTRIBUTES.len()).collect();
        set.vocabulary.request(situation, &attributes).unwrap()
    }

    #[test]
    fn slices_answer_as_the_whole_set_does() {
        let set = PolicySet::default_set();
        let parsed: cedar_policy::PolicySet = TELEMEDICINE.parse().unwrap();
        let whole = set_of(name(TELEMEDICINE, &parsed).unwrap().1).unwrap();
        for (facts, situation) in situations() {
            let request = full_request(&set, &situation);
            let person = set.vocabulary.person(&facts.roles);
            let entities = set.vocabulary.entities(&person).unwrap();
            let response = set.authorizer.is_authorized(&request, &whole, &entities);
            let ruling = set.ask(&person, &situation).unwrap();
            let mut by: Vec<usize> = response.diagnostics().reason().map(|id| set.index[id]).collect();
            by.sort_unstable();
            assert_eq!(
                (response.decision() == Decision::Allow, by),
                (ruling.permit, ruling.by),
                "{situation:?}"
            );
        }
    }

    /// Ages around every limit of the shipped policies, and far from them.
    const AGES: [u64; 14] = [0, 1, 119, 120, 121, 300, 301, 600, 601, 899, 901, 3601, 14_400, 50_000];

    #[test]
    fn what_was_answered_before_is_what_would_be_answered_now() {
        let set = PolicySet::default_set();
        let mut kept = 0;
        for (at, (mut facts, _)) in situations().into_iter().enumerate() {
            let age = |salt: usize| AGES[(at * 5 + salt) % AGES.len()];
            facts.passkey = (at % 3 > 0).then(|| PasskeyFact {
                age_s: age(0),
                user_verified: at % 4 > 0,
                hardware_bound: at % 5 == 0,
            });
            facts.claims.password_age_s = (at % 2 > 0).then(|| age(3));
            facts.claims.badge_age_s = (at % 7 == 0).then(|| age(4));
            facts.recent_failures = u32::try_from(at % 5).unwrap();
            facts.device_known = Some(at % 2 == 0);
            let (person, situation) = (set.vocabulary.person(&facts.roles), Situation::from(&facts));
            let part = set.slices.of(&situation);
            let question = part.classes.as_ref().unwrap().question(part.number, &person, &situation);
            kept += usize::from(set.memo.get(&question.unwrap()).is_some());
            let fresh = set.ask_anew(part, &person, &situation).unwrap();
            assert_eq!(set.ask(&person, &situation).unwrap(), fresh, "{situation:?}");
        }
        assert!(kept > 500, "the memo was hardly asked: {kept}");
    }

    #[test]
    fn requests_fit_the_schema() {
        let set = PolicySet::default_set();
        for (_, situation) in situations() {
            let request = full_request(&set, &situation);
            let [principal, action, resource] =
                [request.principal(), request.action(), request.resource()].map(|uid| uid.unwrap().clone());
            let context = request.context().unwrap().clone();
            let checked = Request::new(principal, action, resource, context, Some(VALIDATOR.schema()));
            assert!(checked.is_ok(), "{checked:?}");
        }
    }

    #[test]
    fn the_objections_that_ship_wait_for_what_they_object_to() {
        let parsed: cedar_policy::PolicySet = TELEMEDICINE.parse().unwrap();
        let waiting =
            parsed.policies().filter(|policy| Trigger::of(&policy.to_json().unwrap()).is_some()).count();
        assert_eq!(waiting, 12, "a reworded policy has lost its trigger and costs every request");
    }

    #[test]
    fn attributes_are_found_however_they_are_written() {
        for condition in [
            "context[\"break_glass\"]",
            "if context.passkey_age_s < 5 then context.break_glass else false",
            "context == context && context.passkey_age_s < 5",
            "context has break_glass && [context.replayed].contains(context.break_glass)",
        ] {
            let text = format!("@id(\"x\") permit (principal, action, resource) when {{ {condition} }};");
            let set = PolicySet::parse(&text).unwrap();
            for (facts, situation) in situations() {
                let ruling = set.ask(&set.vocabulary.person(&facts.roles), &situation);
                assert!(ruling.is_ok(), "{condition}: no attribute is missing");
            }
        }
    }
}
