//! One case, a class of them, and what must hold for each.

use std::collections::BTreeSet;
use std::pin::Pin;

use countersign::error::v1::Reason;
use countersign_client::outcome::Refused;
use countersign_guard::NonceMode;
use futures_util::StreamExt as _;
use tonic::{Code, Response, Status};

use crate::method::{Messages, Method};
use crate::range::{self, Range, Sent};
use crate::stand::Expected;
use crate::{counts, memory, scale};

/// One call, and what may come back.
#[derive(Clone)]
pub(crate) struct Case {
    /// What it is counted as.
    pub(crate) group: &'static str,
    pub(crate) row: String,
    pub(crate) sent: Sent,
    /// Never empty, and more than one only where two faults are in one case.
    pub(crate) expected: Vec<Expected>,
    /// HTTP/2 may refuse it before the guard sees it.
    pub(crate) http2: bool,
}

type Started = Pin<Box<dyn Future<Output = Range>>>;

/// How many cases there are, and what makes one by its number.
pub(crate) type Cases<'r> = (usize, Box<dyn Fn(usize) -> Case + 'r>);

/// Cases of one kind, against one service.
pub(crate) struct Class {
    /// Of how many one is taken in the short form, and in the full one. Prime to the number of
    /// ways in which each byte is changed, so that it goes through the bytes and the ways.
    pub(crate) strides: (usize, usize),
    /// Of each of them a case must get to the guard, also in the short form.
    pub(crate) groups: Vec<&'static str>,
    pub(crate) range: Box<dyn Fn() -> Started>,
    pub(crate) cases: for<'r> fn(&'r Range) -> Cases<'r>,
    /// Accepted before all others: the `jti` of a proof.
    pub(crate) first: Option<&'static str>,
    /// Whether it belongs into the table.
    pub(crate) counted: bool,
}

impl Case {
    /// The second time: as the first, and what was accepted is spent.
    fn comes_as(&mut self, before: Option<Expected>) {
        self.http2 = before.is_none();
        self.expected = match before {
            Some(Expected::Ok) => vec![Expected::Spent],
            other => Vec::from_iter(other),
        };
    }
}

impl Class {
    /// Against a guard without nonces.
    pub(crate) fn of(
        stride: usize,
        groups: &[&'static str],
        cases: for<'r> fn(&'r Range) -> Cases<'r>,
    ) -> Self {
        Self {
            strides: (stride, 1),
            groups: groups.to_vec(),
            range: Box::new(|| Box::pin(Range::start(NonceMode::Off))),
            cases,
            first: None,
            counted: true,
        }
    }
}

/// Of so many cases one is sent to streams of each kind, too. Prime to the number of ways in which
/// each byte is changed.
const STREAMED: usize = 7;

/// How many are under way at once.
const AT_ONCE: usize = 32;

/// After so many there are no more cases: the rest is like them.
const FAULTS_MAX: usize = 20;

/// What the long form has at least.
const CASES_MIN: usize = 50_000;

/// The long form is long, counted as it is made.
pub(crate) fn there_are_enough(classes: impl Iterator<Item = Class>) -> Result<(), String> {
    runtime()?.block_on(async {
        let mut all = 0;
        for class in classes {
            let range = (class.range)().await;
            let (count, _) = (class.cases)(&range);
            all += count.div_ceil(class.strides.1);
        }
        if all < CASES_MIN {
            return Err(format!("{all} cases in all"));
        }
        Ok(())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

/// What must hold, for all cases of a class.
pub(crate) fn hold(class: &Class) -> Result<(), String> {
    runtime()?.block_on(async {
        hold_for(class, Method::CreateOrder).await?;
        for method in Method::STREAMS {
            hold_for(class, method).await?;
        }
        Ok(())
    })
}

/// All of them as calls of one method; of a stream, a part, and of each group.
async fn hold_for(class: &Class, method: Method) -> Result<(), String> {
    let mut range = (class.range)().await;
    range.method = method;
    if let Some(jti) = class.first {
        let token = range.stand.token();
        let sent = range::presented(token.as_bytes(), range.proof(jti, &token).as_bytes());
        let accepted = range.send(sent, Messages::One).await;
        accepted.map_err(|status| status.to_string())?;
    }
    let (count, make) = (class.cases)(&range);
    let (short, full) = class.strides;
    let part = match method {
        Method::CreateOrder => 1,
        Method::WatchOrders | Method::ImportOrders | Method::ExchangeOrders => STREAMED,
    };
    let stride = part * scale::of(short, full);
    let mut came = twice(&range, &make, (0..count).step_by(stride)).await?;
    let missing = missing(class, &came);
    if !missing.is_empty() {
        // Of a small group more.
        let rest = (0..count).step_by(part);
        let rest = rest.filter(|number| number % stride != 0);
        let rest = rest.filter(|number| missing.contains(make(*number).group));
        came.extend(twice(&range, &make, rest).await?);
    }
    tell(class, method, &came)
}

/// Both times the same bytes, and what the first cost is enough for the second: a token that is
/// signed once more is another one, which a guard remembers, too.
async fn twice(
    range: &Range,
    make: &dyn Fn(usize) -> Case,
    numbers: impl Iterator<Item = usize>,
) -> Result<Vec<Came>, String> {
    let cases: Vec<Case> = numbers.map(make).collect();
    let once = pass(range, &cases, None).await?;
    range.hang_up();
    let before = memory::settled().await;
    pass(range, &cases, Some(&once)).await?;
    range.hang_up();
    memory::flat(before, memory::settled().await, cases.len())?;
    Ok(once)
}

/// What came of a case.
struct Came {
    group: &'static str,
    /// `None` where HTTP/2 itself refused.
    letter: Option<Expected>,
}

/// Sends each case; the second time the same must come back as `before`.
async fn pass(range: &Range, cases: &[Case], before: Option<&[Came]>) -> Result<Vec<Came>, String> {
    let handled = range.handled();
    let mut faults = Vec::new();
    let mut came = Vec::with_capacity(cases.len());
    let mut answers = futures_util::stream::iter(cases.iter().enumerate())
        .map(|(at, case)| async move {
            let mut case = case.clone();
            if let Some(before) = before {
                case.comes_as(before[at].letter);
            }
            let messages = if case.expected.contains(&Expected::Ok) {
                Messages::One
            } else {
                Messages::Withheld
            };
            let sent = std::mem::replace(&mut case.sent, Sent::Block(Vec::new()));
            (case, range.send(sent, messages).await)
        })
        .buffered(AT_ONCE);
    while let Some((case, answer)) = answers.next().await {
        if faults.len() == FAULTS_MAX {
            break;
        }
        let letter = letter(&answer);
        came.push(Came {
            group: case.group,
            letter,
        });
        match letter {
            None if case.http2 => {}
            Some(letter) if case.expected.contains(&letter) => letter.check(&case.row, answer),
            _ => faults.push(format!(
                "{} of {}: {}, time {}: {letter:?} came for {:?}: {answer:?}",
                range.method.name(),
                case.group,
                case.row,
                1 + usize::from(before.is_some()),
                case.expected,
            )),
        }
    }
    drop(answers);
    let accepted = came.iter().filter(|came| came.letter == Some(Expected::Ok));
    let (accepted, reached) = (accepted.count() as u64, range.handled() - handled);
    if reached != accepted {
        faults.push(format!(
            "{accepted} accepted, the handler ran {reached} times"
        ));
    }
    faults.extend(range::panics());
    told(&faults).map_or(Ok(came), Err)
}

fn told(faults: &[String]) -> Option<String> {
    (!faults.is_empty()).then(|| format!("{} faults\n{}", faults.len(), faults.join("\n")))
}

/// The letter of an answer, `None` for one that is not the guard's.
pub(crate) fn letter<T>(answer: &Result<Response<T>, Status>) -> Option<Expected> {
    let status = match answer {
        Ok(_) => return Some(Expected::Ok),
        // Expected of no case.
        Err(status) if status.code() == Code::DeadlineExceeded => return Some(Expected::Deadline),
        Err(status) => status,
    };
    Some(match Refused::of(status)?.reason {
        Reason::DpopProofInvalid => Expected::P,
        Reason::DpopProofReplayed => Expected::Spent,
        Reason::TokenInvalid => Expected::T,
        Reason::TokenExpired => Expected::Expired,
        Reason::DpopNonceRequired => Expected::N,
        Reason::InvalidRequest => Expected::R,
        Reason::CredentialsMissing => Expected::Missing,
        Reason::ScopeInsufficient => Expected::Scope,
        Reason::MethodNotAllowed => Expected::NoRule,
        // Expected of no case, whatever it is: it is told with the answer.
        _ => Expected::Unreachable,
    })
}

/// The groups of which nothing got to the guard: what HTTP/2 refuses shows nothing of it.
fn missing(class: &Class, all: &[Came]) -> BTreeSet<&'static str> {
    let mut missing: BTreeSet<_> = class.groups.iter().copied().collect();
    for came in all.iter().filter(|came| came.letter.is_some()) {
        missing.remove(came.group);
    }
    missing
}

/// Counts, and looks that no group was left out.
fn tell(class: &Class, method: Method, all: &[Came]) -> Result<(), String> {
    if class.counted {
        for came in all {
            counts::add(came.group, 1);
            counts::add("cases in all, each sent twice", 1);
            counts::add(method.counted(), 1);
            match came.letter {
                None => counts::add("of all, refused by HTTP/2 itself", 1),
                Some(Expected::Ok) => counts::add("of all, right after all and accepted once", 1),
                Some(_) => {}
            }
        }
    }
    let missing = missing(class, all);
    if missing.is_empty() {
        Ok(())
    } else {
        let name = method.name();
        Err(format!("no case of {missing:?} got to the guard of {name}"))
    }
}
