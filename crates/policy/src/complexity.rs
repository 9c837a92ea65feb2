//! A bound on how deep a policy text can send the recursive parser and evaluator, found before they see it.

use crate::PolicyError;

/// The deepest nesting of brackets.
pub(crate) const MAX_NESTING: usize = 32;
/// The most operators in one policy: each may make the expression one level deeper.
pub(crate) const MAX_OPERATORS: usize = 256;

/// Refuses a text whose brackets nest too deep, or one of whose policies chains too many operators.
pub(crate) fn check(text: &str) -> Result<(), PolicyError> {
    let mut scan = Scan { line: 1, nesting: 0, operators: 0 };
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match byte {
            b'"' => scan.string(after),
            b'/' if after.first() == Some(&b'/') => comment(after),
            byte if byte.is_ascii_alphabetic() || *byte == b'_' => scan.word(rest),
            byte => {
                scan.sign(*byte);
                after
            }
        };
        if scan.nesting > MAX_NESTING || scan.operators > MAX_OPERATORS {
            return Err(PolicyError::TooComplex { line: scan.line });
        }
    }
    Ok(())
}

struct Scan {
    line: usize,
    nesting: usize,
    operators: usize,
}

impl Scan {
    fn sign(&mut self, byte: u8) {
        match byte {
            b'\n' => self.line += 1,
            b'(' | b'[' | b'{' => self.nesting += 1,
            b')' | b']' | b'}' => self.nesting = self.nesting.saturating_sub(1),
            b';' if self.nesting == 0 => self.operators = 0,
            b'!' | b'-' | b'+' | b'*' | b'.' | b'|' | b'&' => self.operators += 1,
            _ => {}
        }
    }

    /// The text behind a string whose opening quote was read.
    fn string<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        while let [byte, after @ ..] = rest {
            self.line += usize::from(*byte == b'\n');
            rest = match byte {
                b'"' => return after,
                b'\\' => after.get(1..).unwrap_or_default(),
                _ => after,
            };
        }
        rest
    }

    /// The text behind a word; `if` nests without a bracket.
    fn word<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let end = text.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.operators += usize::from(word == b"if");
        rest
    }
}

/// The text behind a comment, from the end of its line on.
fn comment(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    &text[end..]
}
