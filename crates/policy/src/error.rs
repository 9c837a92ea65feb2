//! Why a policy text was refused, or a question could not be answered.

use keyward_domain::{IdError, PolicyId};

use crate::complexity::{MAX_NESTING, MAX_OPERATORS};
use crate::set::{MAX_POLICIES, MAX_POLICY_BYTES};

/// Why a policy text was refused, or a question could not be answered. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is longer than [`MAX_POLICY_BYTES`].
    #[error("a policy text must be at most {MAX_POLICY_BYTES} bytes long")]
    TooLong,
    /// More than [`MAX_POLICIES`].
    #[error("a policy set must have at most {MAX_POLICIES} policies")]
    TooMany,
    /// A policy nests or chains too much. The parser works recursively, so that would exhaust its stack.
    #[error(
        "line {line}: a policy may nest {MAX_NESTING} deep and have {MAX_OPERATORS} operators, and no more"
    )]
    TooComplex {
        /// Where the limit is passed.
        line: usize,
    },
    /// The text is not Cedar.
    #[error("line {line}: {detail}")]
    Syntax {
        /// Where.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// Templates are not linked by anyone, so they would never apply.
    #[error("templates are not supported: `{id}` has a slot")]
    Template {
        /// The id that the parser gave it, or its `@id`.
        id: String,
    },
    /// A policy without a name cannot be told in a decision.
    #[error("line {line}: every policy must have an @id")]
    MissingId {
        /// Where the policy begins.
        line: usize,
    },
    /// An `@id` that is no identifier.
    #[error("line {line}: @id {cause}")]
    BadId {
        /// Where the policy begins.
        line: usize,
        /// What is wrong with it.
        cause: IdError,
    },
    /// Two policies with one `@id`.
    #[error("line {line}: policy {id}: another policy has this @id")]
    DuplicateId {
        /// The id.
        id: PolicyId,
        /// Where the second policy begins.
        line: usize,
    },
    /// An annotation that is unknown or whose value cannot be read.
    #[error("line {line}: policy {id}: @{name} {problem}")]
    Annotation {
        /// The policy.
        id: PolicyId,
        /// Where the policy begins.
        line: usize,
        /// The annotation.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The policy speaks of something that the schema does not know, or can never apply.
    #[error("line {line}: policy {id}: {detail}")]
    Schema {
        /// The policy.
        id: PolicyId,
        /// Where.
        line: usize,
        /// What the validator says.
        detail: String,
    },
    /// A policy could not be evaluated (arithmetic that overflows); the answer is to be taken as forbidden.
    #[error("policy {id} could not be evaluated")]
    Evaluation {
        /// The first such policy.
        id: PolicyId,
    },
    /// The question could not be put.
    #[error("the facts could not be put as a request")]
    Request,
}
