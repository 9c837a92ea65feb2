//! What is wrong with a message, field by field.

use std::fmt;

/// The most violations that one answer names. They travel in HTTP/2 trailers, which many clients cap at 8 KiB.
pub const MAX_VIOLATIONS: usize = 24;

/// One field that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Its path from the request message, such as `assessment.telemetry.keystrokes[2].down_us`.
    pub field: String,
    /// What it should have been. Never what it was.
    pub description: String,
}

/// Everything that is wrong with a message; the first [`MAX_VIOLATIONS`] by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    named: Vec<FieldViolation>,
    omitted: usize,
}

impl Violations {
    /// The body is no message of the contract at all. The path is empty: it is the request itself.
    pub fn unreadable() -> Self {
        let mut found = Self::default();
        found.add(Path::Request, "must be a message of the contract");
        found
    }

    /// The violations that are named.
    pub fn named(&self) -> &[FieldViolation] {
        &self.named
    }

    /// How many there are, the unnamed ones too.
    pub fn count(&self) -> usize {
        self.named.len() + self.omitted
    }

    /// Takes the named violations out.
    pub fn into_named(self) -> Vec<FieldViolation> {
        self.named
    }

    /// Notes a violation.
    pub(super) fn add(&mut self, at: Path<'_>, description: impl fmt::Display) -> Refused {
        if self.named.len() < MAX_VIOLATIONS {
            self.named.push(FieldViolation { field: at.to_string(), description: description.to_string() });
        } else {
            self.omitted += 1;
        }
        Refused(())
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            1 => f.write_str("1 field was refused")?,
            n => write!(f, "{n} fields were refused")?,
        }
        if self.omitted > 0 {
            write!(f, "; the first {MAX_VIOLATIONS} are named")?;
        }
        Ok(())
    }
}

/// A field was refused, and a violation says why.
///
/// INVARIANT: only [`Violations::add`] makes this value, so no message is refused without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused(());

/// A field as the domain has it, or the note that it was refused.
pub(super) type Checked<T> = Result<T, Refused>;

/// Runs a conversion: the value if nothing was refused, else everything that was.
pub(super) fn collect<T>(convert: impl FnOnce(&mut Violations) -> Checked<T>) -> Result<T, Violations> {
    let mut found = Violations::default();
    match convert(&mut found) {
        Ok(value) if found.count() == 0 => Ok(value),
        _ => Err(found),
    }
}

/// Where a field lies. A list on the stack: nothing is written until a violation needs it.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    /// The request message itself.
    Request,
    /// A field of a message.
    Field(&'a Path<'a>, &'static str),
    /// An entry of a repeated field.
    Entry(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(super) const fn field(&self, name: &'static str) -> Path<'_> {
        Path::Field(self, name)
    }

    pub(super) const fn entry(&self, index: usize) -> Path<'_> {
        Path::Entry(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Request => Ok(()),
            Path::Field(Path::Request, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Entry(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_clients_know_them() {
        let telemetry = Path::Request.field("assessment");
        let telemetry = telemetry.field("telemetry");
        let keystrokes = telemetry.field("keystrokes");
        let sample = keystrokes.entry(2);
        assert_eq!(sample.field("down_us").to_string(), "assessment.telemetry.keystrokes[2].down_us");
    }

    #[test]
    fn an_answer_stays_small_however_much_is_wrong() {
        let refused = collect::<()>(|found| {
            (0..1000)
                .map(|index| found.add(Path::Request.field("roles").entry(index), "no"))
                .last()
                .map_or(Ok(()), Err)
        });
        let violations = refused.unwrap_err();
        assert_eq!((violations.named().len(), violations.count()), (MAX_VIOLATIONS, 1000));
        assert_eq!(violations.to_string(), "1000 fields were refused; the first 24 are named");
    }
}
