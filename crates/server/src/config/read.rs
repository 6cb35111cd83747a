//! Reading: a file, then variables, then what the command line said.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::nearest::nearest;
use super::value::Value;
use super::{Config, ConfigError, KEYS, Key, Place, VARIABLE_PREFIX};

/// The largest configuration file that is read: a hundred times all keys with a comment each.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a configuration comes from. [`Sources::default`] is nowhere.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// The environment; only names that begin with [`VARIABLE_PREFIX`] are read.
    pub variables: Vec<(String, String)>,
    /// Variables with that prefix that mean something to somebody else, and are passed over.
    pub others: &'a [&'a str],
    /// Keys, by their names in the file, that the command line sets.
    pub overrides: Vec<(String, String)>,
}

impl Config {
    /// Reads the file, then the variables, then what the command line said; the later wins.
    ///
    /// # Errors
    /// A file that cannot be read, a key that is not known, a value that is not right, or values
    /// that contradict each other.
    pub fn read(sources: Sources<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Some(path) = sources.file {
            let text = text_of(path).map_err(|cause| ConfigError::Unreadable {
                path: path.to_owned(),
                cause: cause.to_string(),
            })?;
            config.apply_file(path, &text)?;
        }
        for (name, text) in sources.variables {
            if name.starts_with(VARIABLE_PREFIX) && !sources.others.contains(&name.as_str()) {
                config.apply_variable(&name, text)?;
            }
        }
        for (name, text) in sources.overrides {
            let key = known(&name, &Place::CommandLine)?;
            config.apply(key, &Value::Text(text), &Place::CommandLine)?;
        }
        config.check()?;
        Ok(config)
    }

    pub(crate) fn apply_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error| ConfigError::syntax(path, text, &error))?;
        self.apply_table("", &table, &Place::File(path.to_owned()))
    }

    fn apply_table(
        &mut self,
        prefix: &str,
        table: &toml::Table,
        place: &Place,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let full = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) if !KEYS.iter().any(|key| key.name == full) => {
                    let section = format!("{full}.");
                    if !KEYS.iter().any(|key| key.name.starts_with(&section)) {
                        return Err(unknown(
                            &full,
                            place,
                            KEYS.iter().map(|key| section_of(key)),
                        ));
                    }
                    self.apply_table(&section, inner, place)?;
                }
                value => {
                    if let Some(section) = section_named(&full) {
                        return Err(ConfigError::Value {
                            key: section,
                            place: place.clone(),
                            expected: format!("a section, as in [{section}]"),
                        });
                    }
                    self.apply(known(&full, place)?, &Value::Toml(value), place)?;
                }
            }
        }
        Ok(())
    }

    fn apply_variable(&mut self, name: &str, text: String) -> Result<(), ConfigError> {
        let place = Place::Variable(name.to_owned());
        let key = KEYS
            .iter()
            .find(|key| key.variable() == name)
            .ok_or_else(|| unknown(name, &place, KEYS.iter().map(|key| key.variable())))?;
        self.apply(key, &Value::Text(text), &place)
    }

    fn apply(&mut self, key: &Key, value: &Value<'_>, place: &Place) -> Result<(), ConfigError> {
        (key.set)(self, value).map_err(|expected| ConfigError::Value {
            key: key.name,
            place: place.clone(),
            expected,
        })
    }
}

/// The text of a configuration file. It may be a pipe.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let what = format!("is larger than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(text)
}

pub(super) fn known(name: &str, place: &Place) -> Result<&'static Key, ConfigError> {
    let mut keys = KEYS.iter().copied();
    keys.find(|key| key.name == name)
        .ok_or_else(|| unknown(name, place, KEYS.iter().map(|key| key.name.to_owned())))
}

fn section_of(key: &Key) -> String {
    section(key).unwrap_or(key.name).to_owned()
}

fn section_named(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .filter_map(|key| section(key))
        .find(|section| *section == name)
}

fn section(key: &Key) -> Option<&'static str> {
    key.name.split_once('.').map(|(section, _)| section)
}

fn unknown(key: &str, place: &Place, known: impl IntoIterator<Item = String>) -> ConfigError {
    ConfigError::UnknownKey {
        key: key.to_owned(),
        place: place.clone(),
        nearest: nearest(key, known),
    }
}
