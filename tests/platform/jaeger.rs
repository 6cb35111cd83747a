//! A real Jaeger, and the span trees in it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::service::{free_address, until};

/// Jaeger on ports of its own. Killed when dropped.
pub(crate) struct Jaeger {
    child: Child,
    otlp: SocketAddr,
    query: SocketAddr,
}

impl Jaeger {
    /// Starts one that keeps traces in memory.
    pub(crate) fn start(program: &Path) -> Result<Self, String> {
        let (otlp, query) = (free_address()?, free_address()?);
        let child = Command::new(program)
            .arg("--config")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/tools/jaeger.yaml"
            ))
            .env("JAEGER_OTLP", otlp.to_string())
            .env("JAEGER_QUERY", query.to_string())
            .env("JAEGER_QUERY_GRPC", free_address()?.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let jaeger = Self { child, otlp, query };
        until("Jaeger does not answer", || jaeger.ask("services"))?;
        Ok(jaeger)
    }

    /// Where spans go.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.otlp)
    }

    /// The first trace in which `service` did `operation` and that satisfies
    /// `complete`; spans arrive in batches, so this waits.
    pub(crate) fn trace(
        &self,
        service: &str,
        operation: &str,
        complete: impl Fn(&Trace) -> Result<(), String>,
    ) -> Result<Trace, String> {
        until("no such trace", || {
            let found = self.ask(&format!("traces?service={service}&limit=50"))?;
            let mut why = format!("{service} never did {operation}");
            for trace in found["data"].as_array().into_iter().flatten() {
                let trace = Trace::read(trace)?;
                if !trace.spans.iter().any(|span| span.name == operation) {
                    continue;
                }
                match complete(&trace) {
                    Ok(()) => return Ok(trace),
                    Err(error) => why = format!("{error}, in\n{}", trace.tree()),
                }
            }
            Err(why)
        })
    }

    fn ask(&self, what: &str) -> Result<Value, String> {
        let text = ureq::get(format!("http://{}/api/{what}", self.query))
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

impl Drop for Jaeger {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One trace.
pub(crate) struct Trace {
    spans: Vec<Span>,
}

/// One span of it.
pub(crate) struct Span {
    id: String,
    parent: Option<String>,
    service: String,
    name: String,
    start: u64,
    /// Attributes, as text.
    pub(crate) tags: HashMap<String, String>,
}

impl Trace {
    fn read(trace: &Value) -> Result<Self, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let spans = trace["spans"].as_array().ok_or("a trace without spans")?;
        let spans = spans
            .iter()
            .map(|span| Span {
                id: text(&span["spanID"]),
                parent: span["references"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|reference| reference["refType"] == "CHILD_OF")
                    .map(|reference| text(&reference["spanID"])),
                service: text(&trace["processes"][text(&span["processID"])]["serviceName"]),
                name: text(&span["operationName"]),
                start: span["startTime"].as_u64().unwrap_or_default(),
                tags: span["tags"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|tag| {
                        let value = &tag["value"];
                        let value = value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned);
                        (text(&tag["key"]), value)
                    })
                    .collect(),
            })
            .collect();
        Ok(Self { spans })
    }

    /// The span that the names lead to, each a descendant of the one before.
    /// A name is `service: operation`.
    pub(crate) fn path(&self, names: &[&str]) -> Result<&Span, String> {
        let mut among: Vec<&Span> = self.spans.iter().collect();
        for (index, name) in names.iter().enumerate() {
            among.retain(|span| span.full_name() == *name);
            if among.is_empty() {
                return Err(format!("nothing leads to {}", names[..=index].join(" > ")));
            }
            if index + 1 < names.len() {
                among = self
                    .spans
                    .iter()
                    .filter(|span| among.iter().any(|above| self.descends(span, above)))
                    .collect();
            }
        }
        among.first().copied().ok_or_else(|| "no names".to_owned())
    }

    /// All spans, indented below their parents.
    pub(crate) fn tree(&self) -> String {
        let mut text = String::new();
        for span in self.children(None) {
            self.draw(span, 0, &mut text);
        }
        text
    }

    /// All attributes of all spans.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.spans
            .iter()
            .flat_map(|span| span.tags.values())
            .map(String::as_str)
    }

    fn draw(&self, span: &Span, depth: usize, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:indent$}{}",
            "",
            span.full_name(),
            indent = depth * 2
        );
        for child in self.children(Some(&span.id)) {
            self.draw(child, depth + 1, text);
        }
    }

    fn children(&self, of: Option<&str>) -> Vec<&Span> {
        let mut children: Vec<&Span> = self
            .spans
            .iter()
            .filter(|span| match (of, &span.parent) {
                (None, None) => true,
                // A parent that was not exported makes a root as well.
                (None, Some(parent)) => !self.spans.iter().any(|span| span.id == *parent),
                (of, parent) => of == parent.as_deref(),
            })
            .collect();
        children.sort_by_key(|span| span.start);
        children
    }

    fn descends(&self, span: &Span, above: &Span) -> bool {
        let mut parent = span.parent.as_deref();
        // As many steps as there are spans: a cycle would be a fault of its own.
        for _ in 0..self.spans.len() {
            let Some(id) = parent else { return false };
            if id == above.id {
                return true;
            }
            parent = self
                .spans
                .iter()
                .find(|span| span.id == id)
                .and_then(|span| span.parent.as_deref());
        }
        false
    }
}

impl Span {
    fn full_name(&self) -> String {
        format!("{}: {}", self.service, self.name)
    }
}
