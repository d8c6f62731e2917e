//! What a witness reports.

use crate::proto::verify::{Checks, Finding};
use crate::proto::{Answer, Failure, Heard, Moment, Outcome, Phase, Sender, Unheard};
use crate::wire::rpc::{Bind, BindAck, TransferSyntax};

/// One thing that went by, or that could be concluded from it.
#[derive(Debug, Clone)]
pub enum WitnessEvent {
    /// A whole PDU. What follows from it comes after it.
    Pdu {
        /// Who sent it.
        sender: Sender,
        /// When its last byte went by.
        at: Moment,
        /// All of it.
        bytes: Vec<u8>,
        /// The syntax of the stub in it, where there is one and it is known.
        syntax: Option<TransferSyntax>,
        /// What is wrong with this PDU; of a host's answer as DCE/RPC sees it, and again among
        /// the checks of what the answer came to.
        findings: Vec<Finding>,
    },
    /// A bind or an alter_context was accepted.
    Bound {
        /// Whether it was an alter_context.
        altered: bool,
        /// What was offered.
        offered: Bind,
        /// What the host made of it.
        ack: BindAck,
        /// Every check of the answer.
        checks: Checks,
    },
    /// A call's request is there as a whole.
    Asked(Box<Asked>),
    /// A call was answered.
    Exchange(Box<WitnessedExchange>),
    /// A step that had no answer when the recording ended. Whether the host still owed one when
    /// it did, nobody can tell: nothing is checked of it.
    Unanswered {
        /// Which step.
        phase: Phase,
        /// Its call id.
        call_id: u32,
        /// When it was sent.
        sent: Moment,
    },
    /// The host answered no call, or something else than was asked.
    Failed {
        /// How.
        failure: Failure,
        /// Every check of it.
        checks: Checks,
    },
    /// Bytes that make no whole PDU.
    Stray {
        /// Who sent them.
        sender: Sender,
        /// When they began.
        at: Moment,
        /// The first of them, up to 4,096.
        bytes: Vec<u8>,
        /// How many there are.
        total: usize,
        /// Whether they are the beginning of a PDU that is cut short; else they are no DCE/RPC.
        cut_short: bool,
    },
}

/// A call's request, read back from the wire.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The call.
    pub call_id: u32,
    /// The syntax of its stub, where it is known.
    pub syntax: Option<TransferSyntax>,
    /// Whether the syntax was concluded from the stub, for want of a bind.
    pub guessed: bool,
    /// The request, or why it cannot be read.
    pub request: Result<Heard, Unheard>,
    /// The stub, when it came in several fragments.
    pub joined: Option<Vec<u8>>,
}

/// A call and its answer.
#[derive(Debug, Clone)]
pub struct WitnessedExchange {
    /// The call.
    pub call_id: u32,
    /// The syntax of its stubs, where it is known.
    pub syntax: Option<TransferSyntax>,
    /// Whether the syntax was concluded from a stub, for want of a bind.
    pub guessed: bool,
    /// When the request's first byte went by.
    pub sent: Moment,
    /// When the answer's last byte went by.
    pub received: Moment,
    /// The request, or why it cannot be read. Without it, the answer is judged as DCE/RPC and
    /// NDR only: what it says is shown, but not held against anything.
    pub request: Result<Heard, Unheard>,
    /// The answer, with every check.
    pub answer: Answer,
    /// The response's stub, when it came in several fragments.
    pub joined: Option<Vec<u8>>,
    /// What a Windows client concludes; `None` where that hangs on a request that cannot be read.
    pub outcome: Option<Outcome>,
}
