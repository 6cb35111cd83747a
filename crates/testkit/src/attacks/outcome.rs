//! What came of a call, over gRPC or over HTTP.

use std::error::Error;
use std::fmt;

use bytes::{Bytes, BytesMut};
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use http::{Response, StatusCode};
use http_body::Body as _;
use tonic::Status;
use tonic::body::Body;

use crate::calls::BoxError;

/// Of a body that may be a guard's problem as much is read: those are a few hundred bytes.
const PROBLEM_BYTES_MAX: usize = 16 * 1024;

/// What a call made with [`Calls`](crate::Calls) comes to: of a generated stub a `Result` with a
/// `tonic::Status`, and over HTTP that of `calls.oneshot(request)`.
pub trait Outcome: sealed::Sealed + Send {}

impl<T: Send> Outcome for Result<T, Status> {}
impl Outcome for Result<Response<Body>, BoxError> {}

pub(crate) mod sealed {
    use super::{Answer, BoxFuture};

    /// Only what is answered here is an outcome.
    pub trait Sealed {
        /// Reads it.
        fn answer(self) -> BoxFuture<'static, Answer>
        where
            Self: 'static;
    }
}

/// An outcome, read.
#[derive(Debug)]
pub enum Answer {
    /// The handler has answered.
    Success,
    /// A guard has.
    Refused(Box<Refused>),
    /// Somebody else has, with an error, or nobody.
    Failed(Failure),
}

/// An error that is no refusal of a guard's, or a refusal where none was due.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A guard's refusal.
    Refused(Box<Refused>),
    /// Over gRPC.
    Status(Status),
    /// Over HTTP, by the code of the response.
    Response(StatusCode),
    /// Over HTTP, without any response.
    Unanswered(BoxError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => f.write_str(&refused.message),
            Self::Status(status) => f.write_str(status.message()),
            Self::Response(code) => write!(f, "HTTP {code}"),
            Self::Unanswered(error) => write!(f, "no response: {error}"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Status(status) => Some(status),
            Self::Unanswered(error) => Some(&**error),
            Self::Refused(_) | Self::Response(_) => None,
        }
    }
}

impl<T: Send> sealed::Sealed for Result<T, Status> {
    fn answer(self) -> BoxFuture<'static, Answer>
    where
        Self: 'static,
    {
        let answer = match self {
            Ok(_) => Answer::Success,
            Err(status) => match Refused::of(&status) {
                Some(refused) => Answer::Refused(Box::new(refused)),
                None => Answer::Failed(Failure::Status(status)),
            },
        };
        Box::pin(std::future::ready(answer))
    }
}

impl sealed::Sealed for Result<Response<Body>, BoxError> {
    fn answer(self) -> BoxFuture<'static, Answer>
    where
        Self: 'static,
    {
        Box::pin(async {
            let (head, body) = match self {
                Ok(response) => response.into_parts(),
                Err(error) => return Answer::Failed(Failure::Unanswered(error)),
            };
            let code = head.status;
            if !code.is_client_error() && !code.is_server_error() {
                return Answer::Success;
            }
            match Refused::of_problem(&head.headers, &beginning(body).await) {
                Some(refused) => Answer::Refused(Box::new(refused)),
                None => Answer::Failed(Failure::Response(code)),
            }
        })
    }
}

/// As much of a body as may be a problem. One that breaks off is none.
async fn beginning(body: Body) -> Bytes {
    let mut body = std::pin::pin!(body);
    let mut read = BytesMut::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let data = frame.into_data().unwrap_or_default();
        if read.len() + data.len() > PROBLEM_BYTES_MAX {
            break;
        }
        read.extend_from_slice(&data);
    }
    read.freeze()
}
