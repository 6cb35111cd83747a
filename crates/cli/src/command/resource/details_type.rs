//! A type of authorization details on one word of the command line.

use std::path::PathBuf;
use std::str::FromStr;

use countersign::admin::v1::DetailsType;

use crate::exit::Failure;
use crate::key_file;

/// `NAME=FILE`. The name ends at the last `=`: it may be a URI, and a file seldom has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct DetailsTypeFile {
    name: String,
    schema: PathBuf,
}

impl FromStr for DetailsTypeFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok(Self {
                name: name.to_owned(),
                schema: file.into(),
            }),
            _ => Err("write NAME=FILE, as in account=account.schema.json"),
        }
    }
}

/// The types with their schemas, as they stand in the files. Only the service judges them.
pub(super) fn read_types(files: &[DetailsTypeFile]) -> Result<Vec<DetailsType>, Failure> {
    files
        .iter()
        .map(|file| {
            Ok(DetailsType {
                name: file.name.clone(),
                schema: key_file::read_public_text(&file.schema)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_equals_sign_divides() {
        let read = |text: &str| text.parse::<DetailsTypeFile>();
        let file = |name: &str, schema: &str| DetailsTypeFile {
            name: name.to_owned(),
            schema: schema.into(),
        };
        assert_eq!(read("account=a.json"), Ok(file("account", "a.json")));
        let uri = "https://a.example/types?kind=pay=pay.json";
        assert_eq!(
            read(uri),
            Ok(file("https://a.example/types?kind=pay", "pay.json"))
        );
        for wrong in ["account", "=a.json", "account=", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
