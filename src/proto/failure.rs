//! Why a host gave no answer, and whose fault that is.

use std::fmt;
use std::time::Duration;

use crate::wire::DecodeError;
use crate::wire::rpc::{BindAck, ContextResult, FaultStatus, FragmentError, Ptype, RejectReason, TransferSyntax};

/// The step of a conversation something happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the step of its name")]
pub enum Phase {
    Connect,
    Bind,
    AlterContext,
    Call,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Connect => "connecting",
            Phase::Bind => "the bind",
            Phase::AlterContext => "the alter_context",
            Phase::Call => "the call",
        })
    }
}

/// A conversation that ended without the answer it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it was waiting for.
    pub phase: Phase,
    /// What happened instead.
    pub kind: FailureKind,
    /// Bytes from the host that belong to it: a frame that could not be read, or what had
    /// arrived of one.
    pub bytes: Vec<u8>,
}

/// What happened instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// The connection could not be made, in the system's words.
    Connect(String),
    /// The connection broke, in the system's words.
    Io(String),
    /// Nothing, or not enough, came in time.
    Timeout(Duration),
    /// The host closed the connection.
    Closed,
    /// The host reset the connection.
    Reset,
    /// What came is not DCE/RPC.
    NotRpc,
    /// A PDU that cannot be read.
    Malformed(DecodeError),
    /// A PDU that answers something else than what was asked.
    Unexpected {
        /// What would have been an answer.
        expected: &'static str,
        /// What came.
        got: Ptype,
    },
    /// The answer names another call.
    WrongCall {
        /// The call that is open.
        expected: u32,
        /// The call that was named.
        got: u32,
    },
    /// The host refused the association.
    Nak(RejectReason),
    /// The host took no context that a call could use.
    NoCommonSyntax(Vec<ContextResult>),
    /// The host does not speak the one transfer syntax that was offered, which it need not.
    SyntaxNotSpoken(TransferSyntax),
    /// The host answered below the interface.
    Fault(FaultStatus),
    /// Fragments that make no call.
    Fragments(FragmentError),
}

impl Failure {
    /// A failure with no bytes to show.
    pub fn new(phase: Phase, kind: FailureKind) -> Failure {
        Failure { phase, kind, bytes: Vec::new() }
    }

    /// A failure and what had arrived of an answer, up to a bound.
    pub fn with_bytes(phase: Phase, kind: FailureKind, bytes: &[u8]) -> Failure {
        Failure { phase, kind, bytes: bytes[..bytes.len().min(EVIDENCE_MAX)].to_vec() }
    }

    /// A word for grouping: what a report counts failures by.
    pub fn class(&self) -> &'static str {
        match self.kind {
            FailureKind::Connect(_) => "no-connection",
            FailureKind::Io(_) => "broken-connection",
            FailureKind::Timeout(_) => "timeout",
            FailureKind::Closed => "closed",
            FailureKind::Reset => "reset",
            FailureKind::NotRpc => "not-rpc",
            FailureKind::Malformed(_) | FailureKind::Fragments(_) => "malformed",
            FailureKind::Unexpected { .. } | FailureKind::WrongCall { .. } => "out-of-order",
            FailureKind::Nak(_) | FailureKind::NoCommonSyntax(_) => "refused-bind",
            FailureKind::SyntaxNotSpoken(_) => "not-applicable",
            FailureKind::Fault(_) => "fault",
        }
    }

    /// What the bytes look like, when they are something an admin would know.
    pub fn looks_like(&self) -> Option<&'static str> {
        let starts = |with: &[u8]| self.bytes.starts_with(with);
        if starts(b"HTTP/") || starts(b"<!DOC") || starts(b"<html") {
            Some("HTTP")
        } else if matches!(self.bytes[..], [0x14..=0x17, 3, 0..=4, ..]) {
            Some("TLS")
        } else if starts(b"SSH-") {
            Some("SSH")
        } else if starts(b"220 ") || starts(b"220-") {
            Some("SMTP or FTP")
        } else {
            None
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.phase;
        let arrived = self.bytes.len();
        match &self.kind {
            FailureKind::Connect(why) => write!(f, "{why}"),
            FailureKind::Io(why) => write!(f, "the connection broke in {phase}: {why}"),
            FailureKind::Timeout(after) if phase == Phase::Connect => write!(f, "no connection within {after:?}"),
            FailureKind::Timeout(after) if arrived == 0 => write!(f, "no answer to {phase} within {after:?}"),
            FailureKind::Timeout(after) => {
                write!(f, "only {arrived} bytes of an answer to {phase} came within {after:?}")
            }
            FailureKind::Closed if arrived == 0 => {
                write!(f, "the host closed the connection instead of answering {phase}")
            }
            FailureKind::Closed => {
                write!(f, "the host closed the connection {arrived} bytes into its answer to {phase}")
            }
            FailureKind::Reset => write!(f, "the host reset the connection in {phase}"),
            FailureKind::NotRpc => match self.looks_like() {
                Some(protocol) => write!(f, "this port speaks {protocol}, not DCE/RPC"),
                None => write!(f, "what answered {phase} is not DCE/RPC"),
            },
            FailureKind::Malformed(error) => write!(f, "malformed answer to {phase}: {error}"),
            FailureKind::Unexpected { expected, got } => write!(f, "{expected} was due in {phase}, a {got} came"),
            FailureKind::WrongCall { expected, got } => {
                write!(f, "the answer to {phase} names call {got}, asked was call {expected}")
            }
            FailureKind::Nak(reason) => write!(f, "the host refused the bind: {reason}"),
            FailureKind::NoCommonSyntax(results) => {
                f.write_str("the host accepted no way to call KMS")?;
                for (index, result) in results.iter().enumerate() {
                    write!(f, "{} context {index} {result}", if index == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
            FailureKind::SyntaxNotSpoken(syntax) => write!(f, "the host does not speak {syntax}"),
            FailureKind::Fault(status) => write!(f, "the host answered {phase} with fault {status}"),
            FailureKind::Fragments(error) => write!(f, "malformed answer to {phase}: {error}"),
        }
    }
}

impl From<&BindAck> for FailureKind {
    fn from(ack: &BindAck) -> FailureKind {
        FailureKind::NoCommonSyntax(ack.results.clone())
    }
}

const EVIDENCE_MAX: usize = 4096;
