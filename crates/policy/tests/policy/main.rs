//! The policies as their users meet them: parsed from text, asked with facts.

mod common;
mod parse;
mod properties;
mod telemedicine;
