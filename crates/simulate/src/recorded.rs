//! Readers for published recordings.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use keyward_domain::{
    FieldLabel, InputQuality, KeyEvents, KeyEventsError, KeyZone, KeystrokeSample, MAX_SAMPLE_US,
};

/// How far an up-down time may lie from what the other two say, in seconds: the files round to 0.1 ms.
const ROUNDING_S: f64 = 0.000_25;
/// Columns before the times: subject, session, repetition.
const LEADING: usize = 3;

/// What one person typed, in the order they typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The person, as the file names them.
    pub subject: String,
    /// Their samples, oldest first.
    pub samples: Vec<KeystrokeSample>,
}

/// Why a file could not be read as recordings. Lines count from 1, the header included.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// The file could not be read.
    #[error("recordings could not be read")]
    Io(#[from] io::Error),
    /// There is no header, or it does not name the columns of such a file.
    #[error("header: column {column} is `{found}`, but `{expected}` was expected")]
    Header {
        /// Which column, from 1.
        column: usize,
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// A line with fewer or more columns than the header.
    #[error("line {line}: {found} columns, but the header has {expected}")]
    Columns {
        /// Which line.
        line: usize,
        /// Its columns.
        found: usize,
        /// The header's.
        expected: usize,
    },
    /// A value that is none of its column's.
    #[error("line {line}, column {column}: {problem}")]
    Value {
        /// Which line.
        line: usize,
        /// Which column, by its name in the header.
        column: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Times that cannot have happened.
    #[error("line {line}: {source}")]
    Events {
        /// Which line.
        line: usize,
        /// What is wrong.
        source: KeyEventsError,
    },
}

/// Reads recordings of a fixed text in the format of the CMU benchmark data (K. Killourhy, R. Maxion,
/// "Comparing Anomaly-Detection Algorithms for Keystroke Dynamics", DSN 2009): a header, then lines of
/// subject, session, repetition and the times `H.k1, DD.k1.k2, UD.k1.k2, H.k2, …` in seconds. Subjects come
/// in the order of the file.
///
/// Every key becomes [`KeyZone::Character`], but a last one named `Return` becomes [`KeyZone::Enter`].
///
/// # Errors
/// [`RecordedError`] naming line and column of the first thing that is not so.
pub fn cmu(path: &Path) -> Result<Vec<Recording>, RecordedError> {
    read(BufReader::new(File::open(path)?))
}

fn read(input: impl BufRead) -> Result<Vec<Recording>, RecordedError> {
    let mut lines = input.lines();
    let header = Header::parse(&lines.next().transpose()?.unwrap_or_default())?;
    let mut recordings: Vec<Recording> = Vec::new();
    let mut last = (0, 0);
    for (index, text) in lines.enumerate() {
        let text = text?;
        let line = Line::split(&header, index + 2, &text)?;
        let (subject, order) = (line.subject()?, (line.count(1)?, line.count(2)?));
        let sample = line.sample()?;
        let known = recordings.iter().position(|r| r.subject == subject);
        match known {
            None => recordings.push(Recording { subject, samples: vec![sample] }),
            Some(at) if at + 1 < recordings.len() => {
                return Err(line.problem(0, "lines of a subject must lie together"));
            }
            Some(_) if order <= last => {
                return Err(line.problem(2, "repetitions of a subject must be in order"));
            }
            Some(at) => recordings[at].samples.push(sample),
        }
        last = order;
    }
    Ok(recordings)
}

struct Header {
    columns: Vec<String>,
    zones: Vec<KeyZone>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, RecordedError> {
        let columns: Vec<String> = text.trim_end().split(',').map(str::to_owned).collect();
        let expected = |column: usize| match column {
            0 => "subject",
            1 => "sessionIndex",
            2 => "rep",
            time => ["H.", "DD.", "UD."][(time - LEADING) % 3],
        };
        // The times begin and end with a hold time.
        let whole = (columns.len().max(LEADING + 1) - 1).next_multiple_of(3) + 1;
        for column in 0..whole.max(columns.len()) {
            let found = columns.get(column).map_or("", String::as_str);
            let right = if column < LEADING {
                found == expected(column)
            } else {
                found.starts_with(expected(column))
            };
            if !right {
                return Err(RecordedError::Header {
                    column: column + 1,
                    found: found.into(),
                    expected: expected(column),
                });
            }
        }
        let mut zones = vec![KeyZone::Character; (columns.len() - LEADING).div_ceil(3)];
        if let (Some(zone), Some("H.Return")) = (zones.last_mut(), columns.last().map(String::as_str)) {
            *zone = KeyZone::Enter;
        }
        Ok(Self { columns, zones })
    }
}

struct Line<'a> {
    header: &'a Header,
    number: usize,
    values: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn split(header: &'a Header, number: usize, text: &'a str) -> Result<Self, RecordedError> {
        let values: Vec<&str> = text.trim_end().split(',').collect();
        if values.len() == header.columns.len() {
            Ok(Self { header, number, values })
        } else {
            Err(RecordedError::Columns { line: number, found: values.len(), expected: header.columns.len() })
        }
    }

    fn problem(&self, column: usize, problem: &'static str) -> RecordedError {
        RecordedError::Value { line: self.number, column: self.header.columns[column].clone(), problem }
    }

    fn subject(&self) -> Result<String, RecordedError> {
        if self.values[0].is_empty() {
            Err(self.problem(0, "must not be empty"))
        } else {
            Ok(self.values[0].into())
        }
    }

    fn count(&self, column: usize) -> Result<u32, RecordedError> {
        self.values[column].parse().map_err(|_| self.problem(column, "not a whole number"))
    }

    fn seconds(&self, column: usize) -> Result<f64, RecordedError> {
        let most = f64::from(MAX_SAMPLE_US) / 1e6;
        let value: f64 =
            self.values[column].parse().map_err(|_| self.problem(column, "not a number of seconds"))?;
        if value.is_finite() && value.abs() <= most {
            Ok(value)
        } else {
            Err(self.problem(column, "out of range"))
        }
    }

    fn sample(&self) -> Result<KeystrokeSample, RecordedError> {
        let keys = self.header.zones.len();
        let (mut down, mut downs, mut ups) = (0.0, Vec::with_capacity(keys), Vec::with_capacity(keys));
        for key in 0..keys {
            let column = LEADING + 3 * key;
            let hold = self.seconds(column)?;
            downs.push(self.microseconds(column, down)?);
            ups.push(self.microseconds(column, down + hold)?);
            if key + 1 < keys {
                let (down_down, up_down) = (self.seconds(column + 1)?, self.seconds(column + 2)?);
                if (down_down - hold - up_down).abs() > ROUNDING_S {
                    return Err(self.problem(column + 2, "is not the down-down time less the hold time"));
                }
                down += down_down;
            }
        }
        let position = (0..).take(keys).collect();
        let events = KeyEvents::new(position, self.header.zones.clone(), downs, ups)
            .map_err(|source| RecordedError::Events { line: self.number, source })?;
        Ok(KeystrokeSample { field: password(), events, quality: InputQuality::default() })
    }

    fn microseconds(&self, column: usize, seconds: f64) -> Result<u32, RecordedError> {
        let micros = (seconds * 1e6).round();
        if !(0.0..=f64::from(MAX_SAMPLE_US)).contains(&micros) {
            return Err(self.problem(column, "leads out of range"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie within a u32"
        )]
        Ok(micros as u32)
    }
}

/// The field that fixed texts are recorded in.
pub(crate) fn password() -> FieldLabel {
    FieldLabel::parse("password").expect("a short word of visible ASCII is a label")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "subject,sessionIndex,rep,H.a,DD.a.b,UD.a.b,H.b,DD.b.Return,UD.b.Return,H.Return\n";

    fn parse(lines: &str) -> Result<Vec<Recording>, RecordedError> {
        read(format!("{HEADER}{lines}").as_bytes())
    }

    fn message(lines: &str) -> String {
        parse(lines).unwrap_err().to_string()
    }

    #[test]
    fn times_become_presses_even_when_keys_overlap() {
        let lines = "s1,1,1,0.1,0.2,0.1,0.15,0.05,-0.1,0.08\ns1,1,2,0.1,0.2,0.1,0.1,0.2,0.1,0.1\ns2,1,1,0.1,0.2,0.1,0.1,0.2,0.1,0.1\n";
        let recordings = parse(lines).unwrap();
        assert_eq!(
            recordings.iter().map(|r| (r.subject.as_str(), r.samples.len())).collect::<Vec<_>>(),
            [("s1", 2), ("s2", 1)]
        );
        let events = &recordings[0].samples[0].events;
        assert_eq!(events.down_us(), [0, 200_000, 250_000]);
        assert_eq!(events.up_us(), [100_000, 350_000, 330_000]);
        assert_eq!(events.zone(), [KeyZone::Character, KeyZone::Character, KeyZone::Enter]);
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        assert_eq!(message("s1,1,1,0.1\n"), "line 2: 4 columns, but the header has 10");
        let good = "s1,1,1,0.1,0.2,0.1,0.1,0.2,0.1,0.1\n";
        assert_eq!(
            message(&format!("{good}s1,1,2,0.1,x,0.1,0.1,0.2,0.1,0.1")),
            "line 3, column DD.a.b: not a number of seconds"
        );
        assert_eq!(
            message(&format!("{good}{good}")),
            "line 3, column rep: repetitions of a subject must be in order"
        );
        assert_eq!(message("s1,1,1,0.1,NaN,0.1,0.1,0.2,0.1,0.1"), "line 2, column DD.a.b: out of range");
        assert_eq!(
            message("s1,1,1,0.1,0.2,0.2,0.1,0.2,0.1,0.1"),
            "line 2, column UD.a.b: is not the down-down time less the hold time"
        );
        assert_eq!(message("s1,1,1,0.1,-0.2,-0.3,0.1,0.2,0.1,0.1"), "line 2, column H.b: leads out of range");
        assert_eq!(message(",1,1,0.1,0.2,0.1,0.1,0.2,0.1,0.1"), "line 2, column subject: must not be empty");
    }

    #[test]
    fn a_header_of_another_format_is_refused() {
        let refused = |header: &str| read(header.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused(""), "header: column 1 is ``, but `subject` was expected");
        assert_eq!(refused("subject,sessionIndex,rep"), "header: column 4 is ``, but `H.` was expected");
        let cut = "subject,sessionIndex,rep,H.a,DD.a.b,UD.a.b";
        assert_eq!(refused(cut), "header: column 7 is ``, but `H.` was expected");
    }
}
