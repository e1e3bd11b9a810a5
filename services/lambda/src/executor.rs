//! What runs functions, as the service sees it: a port, implemented where execution environments are.

use base::Timestamp;
use bytes::Bytes;
use platform::BoxFuture;
use tokio::sync::mpsc;
use wire::model::ErrorKind;

use crate::api::errors;
use crate::configuration::{Architecture, Configuration};
use crate::names::FunctionName;

/// Who Lambda is to the policies of roles and resources.
pub const PRINCIPAL: &str = "lambda.amazonaws.com";

/// Runs functions.
pub trait Executor: Send + Sync {
    /// Whether there is a machine that has a runtime.
    fn offers<'a>(&'a self, runtime: &'a str, architecture: Architecture) -> BoxFuture<'a, bool>;

    /// Makes ready what a version needs to run: its archives or image, where it may run. Asked again for what is done already.
    fn prepare<'a>(&'a self, callee: &'a Callee) -> BoxFuture<'a, Result<(), NotPrepared>>;

    /// Runs a version and waits for what it answers.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Answered, Refused>>;

    /// Runs a version and hands on what it answers while it does.
    fn invoke_streaming(&self, invocation: Invocation) -> BoxFuture<'_, Result<Streaming, Refused>>;

    /// How far the environments are that are provisioned for a version or alias.
    fn provisioned<'a>(&'a self, function: &'a FunctionName, qualifier: &'a str) -> BoxFuture<'a, Readiness>;
}

/// How far environments are that are to be kept ready.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    /// How many are ready.
    pub ready: u32,
    /// Why there will be no more of them; none while some are made.
    pub failed: Option<String>,
}

/// A version of a function, and what bears on how it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Callee {
    /// The function.
    pub function: FunctionName,
    /// Which of all functions that have had the name it is.
    pub uid: String,
    /// `$LATEST`, or the version's number.
    pub version: String,
    /// The ARN by which it was called.
    pub invoked_arn: String,
    /// What it is.
    pub configuration: Configuration,
    /// Of how many executions at a time the function is sure, and more than which it may not have.
    pub reserved: Option<u32>,
    /// Whether it may call itself in a circle.
    pub may_recurse: bool,
}

/// One call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What is called.
    pub callee: Callee,
    /// By what it is known in logs and answers.
    pub request_id: String,
    /// The event.
    pub payload: Bytes,
    /// What the caller says of itself, in base64.
    pub client_context: Option<String>,
    /// The trace that it belongs to (`X-Amzn-Trace-Id`).
    pub trace: Option<String>,
    /// Whether the end of its output is wanted.
    pub wants_log_tail: bool,
    /// Since when it waits: of an event, since it was sent.
    pub since: Timestamp,
}

/// What a function has answered, or why it has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Which version ran.
    pub version: String,
    /// What it answered, or the error as an object.
    pub payload: Bytes,
    /// Whether it is an error, and of which kind: `Unhandled`.
    pub function_error: Option<String>,
    /// The last 4 KiB of its output, if they were wanted.
    pub log_tail: Option<Vec<u8>>,
}

/// What a function answers piece by piece.
#[derive(Debug)]
pub struct Streaming {
    /// Which version runs.
    pub version: String,
    /// The media type that it says, if it says one.
    pub content_type: Option<String>,
    /// The pieces; the last is [`Piece::End`]. A stream that ends without one has broken off.
    pub pieces: mpsc::Receiver<Piece>,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Some bytes.
    Bytes(Bytes),
    /// The end.
    End {
        /// What went wrong: the error's type, and the error as a JSON object.
        error: Option<(String, String)>,
        /// The last 4 KiB of its output, if they were wanted.
        log_tail: Option<Vec<u8>>,
    },
}

/// Why a version cannot be made ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotPrepared {
    /// In Lambda's words (`StateReasonCode`): `InvalidImage`, `ImageDeleted`, `InvalidZipFileException`, `InvalidRuntime`,
    /// `InternalError`.
    pub code: String,
    /// For a person.
    pub reason: String,
    /// Whether it may go better later, without anybody changing anything.
    pub is_passing: bool,
}

/// Why a function was not called at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many executions run as may. The word is the `Reason` of TooManyRequestsException.
    #[error("Rate Exceeded.")]
    Throttled(Throttle),
    /// The function calls itself in a circle.
    #[error(
        "Lambda has stopped the request because it detected that the function was invoked in a recursive loop. Functions \
         that are to do so are allowed to by PutFunctionRecursionConfig."
    )]
    Recursive,
    /// There is no machine with room for it.
    #[error("{0}")]
    NoRoom(String),
    /// Its code cannot be unpacked.
    #[error("{0}")]
    InvalidZipFile(String),
    /// Its runtime is not there.
    #[error("{0}")]
    InvalidRuntime(String),
    /// Something failed that is nobody's fault but this installation's.
    #[error("{0}")]
    Failed(String),
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// The function's own, reserved.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// The account's.
    ConcurrentInvocationLimitExceeded,
    /// How fast environments are made.
    FunctionInvocationRateLimitExceeded,
}

impl Throttle {
    /// AWS's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
        }
    }
}

impl Refused {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Throttled(_) => errors::TOO_MANY_REQUESTS,
            Self::Recursive => errors::RECURSIVE_INVOCATION,
            Self::NoRoom(_) => ErrorKind::new("ServiceUnavailableException", 503).message_in("Message"),
            Self::InvalidZipFile(_) => errors::INVALID_ZIP_FILE,
            Self::InvalidRuntime(_) => errors::INVALID_RUNTIME,
            Self::Failed(_) => errors::SERVICE,
        }
    }

    /// Adds what the error's shape has besides.
    pub(crate) fn tell(&self, told: wire::Error) -> wire::Error {
        match self {
            Self::Throttled(throttle) => told.with("Reason", throttle.as_str()).with("Type", "User"),
            Self::Recursive => told.with("Type", "User"),
            _ => told.with("Type", "Service"),
        }
    }

    /// Whether the same call may go better later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::NoRoom(_) | Self::Failed(_))
    }
}
