//! Tells what happens, and checks it: a step that does not come back as it must
//! ends the demonstration.

use std::env;
use std::fmt::Display;
use std::io::{IsTerminal, stdout};

use countersign::error::v1::Reason;
use serde_json::json;
use tonic::Status;

use crate::exit::{self, Failure};
use crate::output::Output;

/// Where the story is told.
pub(crate) struct Stage<'a> {
    output: &'a Output,
    colour: bool,
    chapters: u32,
    steps: u32,
}

impl<'a> Stage<'a> {
    /// A stage on standard output; colour only on a terminal, unless NO_COLOR is
    /// set (<https://no-color.org>).
    pub(crate) fn new(output: &'a Output) -> Self {
        Self {
            output,
            colour: stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
            chapters: 0,
            steps: 0,
        }
    }

    /// How many steps came back as they must.
    pub(crate) fn steps(&self) -> u32 {
        self.steps
    }

    /// Begins a chapter.
    pub(crate) fn chapter(&mut self, title: &str) -> Result<(), Failure> {
        self.chapters += 1;
        let number = self.chapters;
        self.tell(
            &json!({ "chapter": number, "title": title }),
            &format!(
                "\n{}",
                self.painted(Paint::Bold, &format!("{number}. {title}"))
            ),
        )
    }

    /// Says something that is not a step.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.tell(&json!({ "text": text }), text)
    }

    /// A step that must succeed. `told` says what came back.
    pub(crate) fn accepted<A>(
        &mut self,
        step: &str,
        answer: Result<A, Status>,
        told: impl FnOnce(&A) -> String,
    ) -> Result<A, Failure> {
        match answer {
            Ok(answer) => {
                let told = told(&answer);
                self.came_back(step, Mark::Accepted, "OK", None, &told)?;
                Ok(answer)
            }
            Err(status) => Err(Failure::answered(&status).during(step).surprising()),
        }
    }

    /// A step that must be refused for this reason. `meaning` says why that is
    /// right.
    pub(crate) fn refused<A>(
        &mut self,
        step: &str,
        answer: Result<A, Status>,
        expected: Reason,
        meaning: &str,
    ) -> Result<(), Failure> {
        let Err(status) = answer else {
            return Err(Failure::surprise(format!(
                "{step}: was accepted, and must be refused as {}",
                expected.as_str_name()
            )));
        };
        if exit::reason(&status) != Some(expected) {
            return Err(Failure::answered(&status)
                .during(format!("{step}: must be {}, was", expected.as_str_name()))
                .surprising());
        }
        let code = exit::code_name(&status);
        self.came_back(step, Mark::Refused, code, Some(expected), meaning)
    }

    /// A look at what came back with the step before: `claim` holds, or the
    /// demonstration ends.
    pub(crate) fn holds(&mut self, claim: &str, holds: bool) -> Result<(), Failure> {
        if !holds {
            return Err(Failure::surprise(format!("{claim}: it does not hold")));
        }
        self.steps += 1;
        let text = self.painted(Paint::Green, &format!("✓ {claim}"));
        self.tell(
            &json!({ "chapter": self.chapters, "step": claim, "code": "OK", "reason": null }),
            &format!("     {text}"),
        )
    }

    fn came_back(
        &mut self,
        step: &str,
        mark: Mark,
        code: &str,
        reason: Option<Reason>,
        told: &str,
    ) -> Result<(), Failure> {
        self.steps += 1;
        let reason = reason.map(|reason| reason.as_str_name());
        let facts = json!({
            "chapter": self.chapters,
            "step": step,
            "code": code,
            "reason": reason,
            "told": told,
        });
        let answer = match (mark, reason) {
            (Mark::Accepted, _) => self.painted(Paint::Green, &format!("✓ {told}")),
            (Mark::Refused, reason) => {
                let refusal = format!("✗ refused: {code} {}", reason.unwrap_or_default());
                format!("{}: {told}", self.painted(Paint::Red, &refusal))
            }
        };
        self.tell(&facts, &format!("   {step}\n     {answer}"))
    }

    fn tell(&self, facts: &serde_json::Value, text: &str) -> Result<(), Failure> {
        self.output.line(facts, text)
    }

    fn painted(&self, paint: Paint, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let number = match paint {
            Paint::Bold => 1,
            Paint::Red => 31,
            Paint::Green => 32,
        };
        format!("\u{1b}[{number}m{text}\u{1b}[0m")
    }
}

#[derive(Copy, Clone)]
enum Mark {
    Accepted,
    Refused,
}

#[derive(Copy, Clone)]
enum Paint {
    Bold,
    Red,
    Green,
}

/// A secret's shortened fingerprint: enough to see that two are the same, and of
/// no use to anybody.
pub(crate) fn fingerprint(secret: &str) -> String {
    let digest = countersign_jose::sha256(&[secret.as_bytes()]);
    format!(
        "#{:02x}{:02x}{:02x}{:02x}",
        digest[0], digest[1], digest[2], digest[3]
    )
}

/// The beginning of a thumbprint, which is public but long.
pub(crate) fn short(thumbprint: &impl Display) -> String {
    let text = thumbprint.to_string();
    text.chars().take(8).chain(['…']).collect()
}
