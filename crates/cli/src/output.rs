//! What a command prints on standard output: tables and plain lines for people,
//! JSON for scripts.

use std::io::{ErrorKind, Write, stderr, stdout};
use std::time::Duration;

use comfy_table::{Table, presets};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use crate::exit::{Failure, Kind};

/// Standard output, for people or for scripts.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// For scripts if `json`, else for people.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a message of the contracts: as JSON (the protobuf mapping, with the
    /// field names of the `.proto` and every field present), or as what `people`
    /// makes of it. `name` is the message's full name.
    pub(crate) fn message<M: Message>(
        &self,
        name: &str,
        message: &M,
        people: impl FnOnce(&M) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            self.text(&json(name, message)?)
        } else {
            self.text(people(message).trim_end())
        }
    }

    /// Prints what has a JSON form of its own, or what `people` makes of it.
    pub(crate) fn value(
        &self,
        value: &serde_json::Value,
        people: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            self.text(&format!("{value:#}"))
        } else {
            self.text(people().trim_end())
        }
    }

    /// Prints one line of a story: a JSON object on one line, or the text.
    pub(crate) fn line(&self, value: &serde_json::Value, text: &str) -> Result<(), Failure> {
        if self.json {
            self.text(&value.to_string())
        } else {
            self.text(text)
        }
    }

    /// The same for one line of many, as [`streamed`](Self::streamed).
    pub(crate) fn streamed_line(
        &self,
        value: &serde_json::Value,
        text: &str,
    ) -> Result<(), Failure> {
        if self.json {
            self.streamed(&value.to_string())
        } else {
            self.streamed(text)
        }
    }

    /// Prints a text and ends the line.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        match self.streamed(text) {
            // The reader has seen enough, as `head` does; what was asked for is still done.
            Err(failure) if failure.kind() == Kind::Unread => Ok(()),
            printed => printed,
        }
    }

    /// Prints one line of many, and fails with [`Kind::Unread`] when nobody reads them any more:
    /// who prints until then has nothing else to do.
    pub(crate) fn streamed(&self, text: &str) -> Result<(), Failure> {
        let mut out = stdout().lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        written.map_err(|cause| match cause.kind() {
            ErrorKind::BrokenPipe => Failure::new(Kind::Unread, "nobody reads the answer"),
            _ => Failure::internal(format!("cannot write the answer: {cause}")),
        })
    }

    /// Tells the person something beside the answer, on standard error.
    pub(crate) fn note(&self, text: &str) {
        // A note that nobody can read is not worth failing for.
        let _told = writeln!(stderr().lock(), "note: {text}");
    }
}

/// A table with one line per row; `empty` stands for no rows.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    empty: &str,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(header)
        .add_rows(rows);
    if table.is_empty() {
        return empty.to_owned();
    }
    table.trim_fmt()
}

/// One thing: a line for each of its fields that has a value.
pub(crate) fn fields<const N: usize>(fields: [(&str, String); N]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        for (nth, line) in value.lines().enumerate() {
            let name = if nth == 0 { name } else { "" };
            text.push_str(&format!("{name:width$}  {line}\n"));
        }
    }
    text
}

fn json<M: Message>(name: &str, message: &M) -> Result<String, Failure> {
    let fault = |what: String| Failure::internal(format!("cannot print {name} as JSON: {what}"));
    let pool = DescriptorPool::decode(countersign::FILE_DESCRIPTOR_SET)
        .map_err(|cause| fault(cause.to_string()))?;
    let descriptor = pool
        .get_message_by_name(name)
        .ok_or_else(|| fault("it is not in the descriptor set".to_owned()))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|cause| fault(cause.to_string()))?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(false);
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut text);
    dynamic
        .serialize_with_options(&mut serializer, &options)
        .map_err(|cause| fault(cause.to_string()))?;
    String::from_utf8(text).map_err(|cause| fault(cause.to_string()))
}

/// A time for people; empty if there is none.
pub(crate) fn time(time: Option<prost_types::Timestamp>) -> String {
    time.map_or_else(String::new, |time| time.to_string())
}

/// A span of time for people; empty if there is none.
pub(crate) fn span(span: Option<prost_types::Duration>) -> String {
    span.and_then(|span| Duration::try_from(span).ok())
        .map_or_else(String::new, |span| {
            humantime::format_duration(span).to_string()
        })
}
