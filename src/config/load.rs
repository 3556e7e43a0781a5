//! Where settings come from: the file, then `BLUEBRIDGE__SECTION__KEY` from the environment. A key that
//! nobody knows stops the start, because a misspelt limit is a limit that is not there.

use super::Config;
use std::path::{Path, PathBuf};

/// The file read when none is named and this one exists.
pub const DEFAULT_PATH: &str = "/etc/bluebridge/bluebridge.toml";
const PREFIX: &str = "BLUEBRIDGE__";

/// One sentence that says what is wrong and where; the command line exits with 2.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read configuration {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}{line}: {message}")]
    Malformed { path: PathBuf, line: String, message: String },
    #[error("environment variable {name}: {message}")]
    Environment { name: String, message: String },
}

/// Reads `path` (or the default file when it exists, or nothing) and applies `environment` on top.
pub fn load(path: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config, LoadError> {
    let default = Path::new(DEFAULT_PATH);
    let path = path.or_else(|| default.exists().then_some(default));
    let text = match path {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| LoadError::Unreadable { path: path.to_path_buf(), source })?,
        None => String::new(),
    };
    let path = path.unwrap_or(Path::new("configuration"));
    // Read on its own first: only the text knows on which line a mistake stands.
    let from_file: Config = toml::from_str(&text).map_err(|error| malformed(path, &text, &error))?;

    let mut overrides: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    if overrides.is_empty() {
        return Ok(from_file);
    }
    overrides.sort();
    let mut table: toml::Table = toml::from_str(&text).map_err(|error| malformed(path, &text, &error))?;
    for (name, value) in &overrides {
        set(&mut table, name, value)?;
        // Checked one by one, so that the message names the variable that is wrong.
        Config::try_from_table(&table).map_err(|message| LoadError::Environment { name: name.clone(), message })?;
    }
    Config::try_from_table(&table).map_err(|message| LoadError::Malformed {
        path: path.to_path_buf(),
        line: String::new(),
        message,
    })
}

impl Config {
    fn try_from_table(table: &toml::Table) -> Result<Self, String> {
        table.clone().try_into().map_err(|error: toml::de::Error| one_line(error.message()))
    }
}

fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> LoadError {
    let line = error.span().map_or(String::new(), |span| {
        let before = text.get(..span.start).unwrap_or(text);
        format!(" line {}", before.matches('\n').count() + 1)
    });
    LoadError::Malformed { path: path.to_path_buf(), line, message: one_line(error.message()) }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `BLUEBRIDGE__DICOM__LISTEN=...` becomes `dicom.listen`. A value that reads as TOML (a number, a list,
/// true) is taken as such, everything else as text.
fn set(table: &mut toml::Table, name: &str, value: &str) -> Result<(), LoadError> {
    let wrong = |message: &str| LoadError::Environment { name: name.to_owned(), message: message.to_owned() };
    let keys: Vec<String> = name.trim_start_matches(PREFIX).split("__").map(str::to_lowercase).collect();
    let (last, sections) = keys.split_last().ok_or_else(|| wrong("names no key"))?;
    if keys.iter().any(String::is_empty) {
        return Err(wrong("write BLUEBRIDGE__SECTION__KEY"));
    }
    let mut at = table;
    for section in sections {
        at = at
            .entry(section.clone())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| wrong("is below a key that is not a section"))?;
    }
    let literal = toml::from_str::<toml::Table>(&format!("v = {value}")).ok().and_then(|mut table| table.remove("v"));
    let value = match literal {
        Some(value) if !value.is_datetime() => value,
        _ => toml::Value::String(value.to_owned()),
    };
    at.insert(last.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        load(Some(file.path()), environment)
            .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
    }

    #[test]
    fn the_documented_sample_is_the_defaults() {
        let sample: Config = toml::from_str(include_str!("../../config/bluebridge.toml")).unwrap();
        assert_eq!(sample, Config::default());
    }

    #[test]
    fn every_commented_out_key_of_the_sample_is_a_real_one() {
        // Lines such as `#public_url = "..."` show optional keys; together with the rest they must load.
        let uncommented: String = include_str!("../../config/bluebridge.toml")
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
                _ => line,
            })
            .fold(String::new(), |text, line| text + line + "\n");
        let config: Config = toml::from_str(&uncommented).unwrap();
        assert!(config.mail.is_some() && !config.dicom.peer.is_empty() && !config.route.is_empty());
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let cases = [
            ("data_dri = \"/x\"", "FILE line 1: unknown field `data_dri`"),
            ("[dicom]\nlisten = \"127.0.0.1\"", "FILE line 2: invalid socket address syntax"),
            ("[limits]\nidle_timeout = 60", "is not a length of time; write 90s"),
            ("[limits]\ninstance_size = \"16GB\"", "is not a size; write"),
            ("[dicom]\nae_title = \"MUCH TOO LONG A TITLE\"", "not an AE title"),
            ("[[dicom.peer]]\nname = \"x\"\nae_title = \"*\"\naddress = \"10.1.2.x\"", "is not an address or range"),
            ("[dicom", "FILE line 1"),
        ];
        for (text, expected) in cases {
            let message = from(text, &[]).unwrap_err();
            assert!(message.contains(expected), "{text:?} gave {message:?}");
            assert!(!message.contains('\n'), "{message:?}");
        }
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let config = from(
            "[dicom]\nlisten = \"127.0.0.1:1\"",
            &[
                ("BLUEBRIDGE__DICOM__LISTEN", "127.0.0.1:2"),
                ("BLUEBRIDGE__LIMITS__ASSOCIATIONS", "7"),
                ("HOME", "/root"),
            ],
        )
        .unwrap();
        assert_eq!((config.dicom.listen.port(), config.limits.associations), (2, 7));
        let message = from("", &[("BLUEBRIDGE__DICOM__LISTN", "x")]).unwrap_err();
        assert!(message.starts_with("environment variable BLUEBRIDGE__DICOM__LISTN: unknown field"), "{message}");
    }
}
