//! Reads the layers. Each is parsed by itself, so that an error can name the file, variable or flag it came from.

use std::path::{Path, PathBuf};

use confique::meta::{Expr, Field, FieldKind, LeafKind};
use confique::{Config, Layer};
use serde::Deserialize;
use toml::{Table, Value};

use super::Settings;

type SettingsLayer = <Settings as Config>::Layer;

/// Where settings come from besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Environment variables, any; those named `KEYWARD_SECTION__KEY` are read.
    pub environment: Vec<(String, String)>,
    /// Flags, as `section.key=value`; a later one wins.
    pub flags: Vec<String>,
}

/// Why settings were refused. Values are not repeated: one may be a secret in the wrong place.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::ErrorKind,
    },
    /// The file is not TOML, or has an unknown key or a value of the wrong type.
    #[error("{}:{line}: {message}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A variable or flag that no key has.
    #[error("{origin}: unknown key `{key}`; `keyward config sample` lists all keys")]
    UnknownKey {
        /// The variable or flag.
        origin: String,
        /// The key that it would mean.
        key: String,
    },
    /// A variable or flag with a value of the wrong type.
    #[error("{origin}: {message}")]
    Value {
        /// The variable or flag.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// Values that do not fit together.
    #[error("settings do not fit together:\n  {}", .0.join("\n  "))]
    Inconsistent(Vec<String>),
}

impl Settings {
    /// Reads all layers and checks that the values fit together.
    ///
    /// # Errors
    /// [`SettingsError`], naming the layer and the key.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let settings = Self::load_unchecked(sources)?;
        let problems = settings.problems();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError::Inconsistent(problems)) }
    }

    /// Reads all layers without checking that the values fit together, for `doctor`.
    ///
    /// # Errors
    /// [`SettingsError`], naming the layer and the key.
    pub fn load_unchecked(sources: &Sources) -> Result<Self, SettingsError> {
        let mut layer = SettingsLayer::empty();
        for (origin, key, value) in flags(&sources.flags)?.into_iter().rev() {
            layer = layer.with_fallback(single(&origin, &key, &value)?);
        }
        for (origin, key, value) in variables(&sources.environment) {
            layer = layer.with_fallback(single(&origin, &key, &value)?);
        }
        if let Some(path) = &sources.file {
            layer = layer.with_fallback(file(path)?);
        }
        let layer = layer.with_fallback(SettingsLayer::default_values());
        Self::from_layer(layer).map_err(|e| SettingsError::Inconsistent(vec![e.to_string()]))
    }
}

fn file(path: &Path) -> Result<SettingsLayer, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| SettingsError::Read { path: path.to_owned(), reason: e.kind() })?;
    toml::from_str(&text).map_err(|e| {
        let start = e.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        SettingsError::File { path: path.to_owned(), line, message: e.message().to_owned() }
    })
}

/// Origin, key and raw value.
type Entry = (String, String, String);

fn flags(flags: &[String]) -> Result<Vec<Entry>, SettingsError> {
    flags
        .iter()
        .map(|flag| {
            let Some((key, value)) = flag.split_once('=') else {
                let message = "must look like section.key=value".to_owned();
                return Err(SettingsError::Value { origin: "--set".to_owned(), message });
            };
            Ok((format!("--set {key}"), key.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

/// Variables without a double underscore are left alone: Kubernetes sets `KEYWARD_PORT` and the like by itself.
fn variables(environment: &[(String, String)]) -> Vec<Entry> {
    let known = keys();
    let entry = |(name, value): &(String, String)| {
        let rest = name.strip_prefix("KEYWARD_")?;
        let key = rest.to_lowercase().replacen("__", ".", 1);
        let ours = rest.contains("__") || known.iter().any(|(k, _)| *k == key);
        ours.then(|| (format!("environment variable {name}"), key, value.clone()))
    };
    environment.iter().filter_map(entry).collect()
}

/// A layer of one key.
fn single(origin: &str, key: &str, raw: &str) -> Result<SettingsLayer, SettingsError> {
    let unknown = || SettingsError::UnknownKey { origin: origin.to_owned(), key: key.to_owned() };
    let (_, kind) = keys().into_iter().find(|(name, _)| name == key).ok_or_else(unknown)?;
    let layer = match kind {
        LeafKind::Required { default: None | Some(Expr::Str(_)) } => {
            layer(key, Value::String(raw.to_owned()))
        }
        LeafKind::Required { .. } => toml_value(raw).and_then(|value| layer(key, value)),
        // The kind of an optional key is not told: text (a path, an address), and what cannot be text is a number.
        LeafKind::Optional => layer(key, Value::String(raw.to_owned()))
            .or_else(|refused| toml_value(raw).and_then(|value| layer(key, value)).map_err(|_| refused)),
    };
    layer.map_err(|message| SettingsError::Value { origin: origin.to_owned(), message })
}

fn layer(key: &str, value: Value) -> Result<SettingsLayer, String> {
    let one = |name: &str, value| Table::from_iter([(name.to_owned(), value)]);
    let table = match key.split_once('.') {
        Some((section, name)) => one(section, Value::Table(one(name, value))),
        None => one(key, value),
    };
    SettingsLayer::deserialize(table).map_err(|e| e.message().to_owned())
}

fn toml_value(raw: &str) -> Result<Value, String> {
    let mut table: Table = toml::from_str(&format!("value = {raw}")).map_err(|e| e.message().to_owned())?;
    table.remove("value").ok_or_else(|| "has no value".to_owned())
}

/// Every key with its kind, as `section.key`.
fn keys() -> Vec<(String, LeafKind)> {
    fn walk(prefix: &str, fields: &'static [Field], into: &mut Vec<(String, LeafKind)>) {
        for field in fields {
            let name = format!("{prefix}{}", field.name);
            match field.kind {
                FieldKind::Leaf { kind, .. } => into.push((name, kind)),
                FieldKind::Nested { meta } => walk(&format!("{name}."), meta.fields, into),
            }
        }
    }
    let mut keys = Vec::new();
    walk("", Settings::META.fields, &mut keys);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        file: Option<&str>,
        environment: &[(&str, &str)],
        flags: &[&str],
    ) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyward.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        Settings::load(&Sources {
            file: file.map(|_| path),
            environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        })
    }

    fn refusal(file: Option<&str>, environment: &[(&str, &str)], flags: &[&str]) -> String {
        load(file, environment, flags).expect_err("must be refused").to_string()
    }

    #[test]
    fn nothing_given_gives_the_defaults() {
        assert_eq!(load(None, &[], &[]).unwrap(), Settings::defaults());
    }

    #[test]
    fn a_later_layer_wins() {
        let file = "[server]\nmax_in_flight = 1\nmax_connections = 1\nkeepalive_s = 1\n";
        let environment = [("KEYWARD_SERVER__MAX_CONNECTIONS", "2"), ("KEYWARD_SERVER__KEEPALIVE_S", "2")];
        let server =
            load(Some(file), &environment, &["server.keepalive_s=9", "server.keepalive_s=3"]).unwrap().server;
        assert_eq!((server.max_in_flight, server.max_connections, server.keepalive_s), (1, 2, 3));
        assert_eq!(server.drain_ms, Settings::defaults().server.drain_ms);
    }

    #[test]
    fn unknown_keys_name_key_and_layer() {
        let message = refusal(Some("[server]\nlisten = \"127.0.0.1:1\"\nlissten = 3\n"), &[], &[]);
        assert!(message.contains("keyward.toml:3: ") && message.contains("`lissten`"), "{message}");
        let message = refusal(Some("[servre]\n"), &[], &[]);
        assert!(message.contains("keyward.toml:1: ") && message.contains("`servre`"), "{message}");
        let message = refusal(None, &[("KEYWARD_SERVER__LISSTEN", "x")], &[]);
        assert!(
            message.contains("KEYWARD_SERVER__LISSTEN") && message.contains("server.lissten"),
            "{message}"
        );
        let message = refusal(None, &[], &["serverlisten=x"]);
        assert!(message.contains("--set serverlisten"), "{message}");
    }

    #[test]
    fn wrong_values_name_their_origin_and_are_not_repeated() {
        let message = refusal(None, &[("KEYWARD_SERVER__LISTEN", "hunter2")], &[]);
        assert!(message.contains("KEYWARD_SERVER__LISTEN") && !message.contains("hunter2"), "{message}");
        let message = refusal(None, &[], &["server.max_in_flight=-1"]);
        assert!(message.contains("--set server.max_in_flight"), "{message}");
        let message = refusal(None, &[], &["server.max_in_flight"]);
        assert!(message.contains("section.key=value"), "{message}");
    }

    #[test]
    fn callers_lists_and_text_come_from_every_layer() {
        let table = "[[callers]]\nid = \"a\"\ntenants = [\"*\"]\ntoken_sha256_file = \"t\"\n";
        assert_eq!(load(Some(table), &[], &[]).unwrap().callers[0].id, "a");
        let inline = r#"[{id="b", tenants=["*"], token_sha256_file="t"}]"#;
        assert_eq!(load(Some(table), &[("KEYWARD_CALLERS", inline)], &[]).unwrap().callers[0].id, "b");
        let settings =
            load(None, &[], &["passkeys.rp_name=42", r#"passkeys.origins=["http://localhost:1"]"#]).unwrap();
        assert_eq!(settings.passkeys.rp_name, "42");
        assert_eq!(settings.passkeys.origins, ["http://localhost:1"]);
        let message = refusal(Some("[[callers]]\nid = \"a\"\ntenants = []\ntoken = \"t\"\n"), &[], &[]);
        assert!(message.contains("`token`"), "{message}");
    }

    #[test]
    fn variables_that_others_set_are_left_alone() {
        let environment = [("KEYWARD_PORT", "tcp://10.0.0.1:1"), ("KEYWARD_CONFIG", "x"), ("PATH", "/bin")];
        assert_eq!(load(None, &environment, &[]).unwrap(), Settings::defaults());
    }

    #[test]
    fn every_optional_key_takes_bare_text_an_address_or_a_number() {
        for (key, _) in keys().into_iter().filter(|(_, kind)| matches!(kind, LeafKind::Optional)) {
            let taken = ["text", "127.0.0.1:1", "1"].iter().any(|value| single("test", &key, value).is_ok());
            assert!(taken, "{key}");
        }
        let layer = single("test", "redis.database", "3").unwrap();
        assert_eq!(layer.redis.database, Some(3));
        assert!(refusal(None, &[], &["redis.database=three"]).contains("--set redis.database"));
    }
}
