//! The sample file, written from the declarations.

use std::fmt::Write;

use confique::Config;
use confique::meta::{Expr, Field, FieldKind, LeafKind};

use super::Settings;

/// The full sample: every key with its documentation, commented out, at its default.
pub fn sample() -> String {
    let mut out = String::new();
    comment(&mut out, Settings::META.doc);
    for field in Settings::META.fields {
        out.push('\n');
        match field.kind {
            FieldKind::Leaf { kind, .. } => leaf(&mut out, field, kind),
            FieldKind::Nested { meta } => section(&mut out, field, meta.fields),
        }
    }
    out
}

fn section(out: &mut String, section: &Field, fields: &[Field]) {
    comment(out, section.doc);
    put(out, format_args!("[{}]\n", section.name));
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if let FieldKind::Leaf { kind, .. } = field.kind {
            leaf(out, field, kind);
        }
    }
}

fn leaf(out: &mut String, field: &Field, kind: LeafKind) {
    comment(out, field.doc);
    match kind {
        LeafKind::Required { default: Some(value) } => {
            put(out, format_args!("#{} = {}\n", field.name, literal(&value)));
        }
        LeafKind::Required { default: None } | LeafKind::Optional => {
            put(out, format_args!("#{} =\n", field.name));
        }
    }
}

/// Lines come as the compiler has them, with their leading space. Code fences are for the other reader, rustdoc.
fn comment(out: &mut String, lines: &[&str]) {
    for line in lines.iter().filter(|line| !line.trim_start().starts_with("```")) {
        put(out, format_args!("#{}\n", line.trim_end()));
    }
}

fn literal(value: &Expr) -> String {
    toml::Value::try_from(value).map_or_else(|_| String::new(), |value| value.to_string())
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/config/keyward.toml");

    #[test]
    fn the_checked_in_sample_is_what_the_declarations_say() {
        let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap();
        assert_eq!(checked_in, sample(), "run: keyward config sample > deploy/config/keyward.toml");
    }

    #[test]
    fn the_sample_with_every_default_switched_on_is_the_defaults() {
        let is_key = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase());
        let mut keys = 0;
        let on: String = sample()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if is_key(key) && !key.ends_with('=') => {
                    keys += 1;
                    format!("{key}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        assert!(keys > 30, "{keys} keys");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyward.toml");
        std::fs::write(&file, on).unwrap();
        let settings = Settings::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        assert_eq!(settings, Settings::defaults());
    }

    #[test]
    fn every_key_and_section_is_documented() {
        fn check(fields: &[Field]) {
            for field in fields {
                assert!(
                    field.doc.iter().any(|line| !line.trim().is_empty()),
                    "{} has no documentation",
                    field.name
                );
                if let FieldKind::Nested { meta } = field.kind {
                    check(meta.fields);
                }
            }
        }
        check(Settings::META.fields);
    }
}
