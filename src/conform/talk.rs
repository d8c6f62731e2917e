//! What the program of a case talks to: connections to the host, and a record of all that was said.
//!
//! Here is what a talk knows. `lines` has its connections, `saying` what is said over them, `asking` what KMS is asked;
//! `hearing` takes in what comes, `judging` holds it against what a case accepts, `pace` knows how much there is time for.

mod asking;
mod hearing;
mod judging;
mod lines;
mod pace;
mod saying;

use std::time::Duration;

use super::accept::{Grade, Mismatch};
use super::host::{Closing, Host, Line};
use crate::client::Randomness;
use crate::proto::verify::{CheckId, Checks, History};
use crate::proto::{Answer, Ask, Moment, Sender};
use crate::wire::Guid;
use crate::wire::kms::ProtocolVersion;
use crate::wire::rpc::{Assembler, Bind, BindAck, Flags, FrameBuffer, SyntaxId, TransferSyntax};

pub use pace::median;

/// What is asked of the host in ordinary calls: KMS activation, or a call of any other interface.
#[derive(Debug, Clone)]
pub struct Service {
    /// The interface.
    pub interface: SyntaxId,
    /// The operation.
    pub opnum: u16,
    /// The stub of a call, as it is; of KMS it is made anew for each.
    pub stub: Option<Vec<u8>>,
    /// Which product of the catalogue ordinary clients of KMS ask for.
    pub product: &'static str,
}

impl Service {
    /// KMS, for clients of Windows.
    pub const KMS: Service =
        Service { interface: SyntaxId::KMS, opnum: 0, stub: None, product: "Windows 11 Enterprise" };
}

/// Why a program cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// What has nothing to do with the requirement did not work.
    Foundation(String),
    /// The question does not arise with this host.
    NotApplicable(String),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Foundation(why) | Stop::NotApplicable(why) => f.pad(why),
        }
    }
}

/// What all cases of a run have in common.
#[derive(Debug)]
pub struct Shared {
    /// What is asked for in ordinary calls.
    pub service: Service,
    /// What the host's answers were like so far.
    pub history: History,
    /// IVs of requests.
    pub randomness: Randomness,
    /// The version of ordinary requests: the newest that the host answers right.
    pub version: ProtocolVersion,
    /// Whether a response will do for an answer, whatever it says: of a host that answers no ordinary request right
    /// it can still be told how it speaks DCE/RPC.
    pub any_response: bool,
    /// Whether the case under way is about what every host must do: then nothing but an answer is right to what is due one.
    pub is_must: bool,
    /// How long ordinary exchanges took so far, one after the other.
    pub paces: Vec<Duration>,
    /// How long the host took for an answer in each of them.
    pub answer_times: Vec<Duration>,
    /// How long after a fault the host closes the connection, when it does so too late to be seen to.
    pub closes_late: Option<Duration>,
    /// Whether others were seen to be counted meanwhile.
    pub has_other_clients: bool,
    /// Whether the host's table was filled up, so that it may refuse everybody.
    pub is_full: bool,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// By whom.
    pub sender: Sender,
    /// On which connection of the case, from 0.
    pub line: usize,
    /// What: a PDU, or bytes that are none.
    pub bytes: Vec<u8>,
    /// The syntax of its stub, if it has one.
    pub syntax: Option<TransferSyntax>,
    /// What was sealed in an answer, and in which version, where that could be opened.
    pub opened: Option<(ProtocolVersion, Vec<u8>)>,
    /// When.
    pub at: Moment,
}

/// One thing a case looked at.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it was.
    pub label: String,
    /// How good.
    pub grade: Grade,
    /// What is wrong with it.
    pub mismatch: Option<Mismatch>,
    /// Which thing said shows it.
    pub said: Option<usize>,
    /// Whether what is wrong is that the host keeps other clients waiting.
    pub starves_others: bool,
}

/// A conversation of a case with a host, over one connection or more.
pub struct Talk<'h> {
    host: &'h mut dyn Host,
    shared: &'h mut Shared,
    conversations: Vec<Conversation>,
    current: usize,
    said: Vec<Said>,
    judged: Vec<Judged>,
    checks: Checks,
    /// Which thing said, by its number, shows first that a check does not hold.
    shows: Vec<(CheckId, usize)>,
    notes: Vec<String>,
    /// Whether the case repeats itself less often than it would, for the host takes its time.
    is_shortened: bool,
    /// How often one was taken of several, the host being slow.
    turns: usize,
    /// Another client for each machine that is asked for.
    clients: u32,
    told: Option<Answer>,
    /// When the first connection was opened.
    begun: Option<Moment>,
    /// How many answers were waited for, and how long for all of them.
    waited: (u32, Duration),
    /// What a connection began with and what got a fault on it, when the next thing said on it was not answered.
    suspect: Option<Suspect>,
}

/// What a connection began with, and what got a fault on it.
pub(super) type Suspect = [Vec<u8>; 2];

struct Conversation {
    line: Box<dyn Line>,
    /// The port connected to.
    port: u16,
    frames: FrameBuffer,
    end: Option<Closing>,
    next_call_id: u32,
    waiting: Vec<Waiting>,
    ack: Option<BindAck>,
    contexts: Vec<(u16, TransferSyntax)>,
    /// How many bytes came.
    heard: usize,
    /// When something was said on it last.
    since: Moment,
}

/// Something that awaits an answer.
struct Waiting {
    call_id: u32,
    /// Whether its integers were big endian: then those of its answer may be.
    big_endian: bool,
    kind: Kind,
}

enum Kind {
    Opening { flags: Flags, offered: Bind, altering: bool },
    Call { context: u16, syntax: TransferSyntax, ask: Option<Box<Ask>>, assembler: Assembler, at: Moment },
    Other,
}

/// What the checks of a talk came to.
#[derive(Default)]
pub(super) struct Checked {
    pub checks: Checks,
    /// Of those that do not hold: what was asked, and the PDU that shows it.
    pub exhibits: Vec<(CheckId, Vec<Said>)>,
}

/// What became of a case's talk.
pub(super) struct Outcome {
    pub said: Vec<Said>,
    pub judged: Vec<Judged>,
    pub checked: Checked,
    pub notes: Vec<String>,
    pub is_shortened: bool,
    /// What may have been closed before what was said next, and not by it.
    pub suspect: Option<Suspect>,
}

impl<'h> Talk<'h> {
    pub(super) fn new(host: &'h mut dyn Host, shared: &'h mut Shared) -> Talk<'h> {
        Talk {
            host,
            shared,
            conversations: Vec::new(),
            current: 0,
            said: Vec::new(),
            judged: Vec::new(),
            checks: Checks::default(),
            shows: Vec::new(),
            notes: Vec::new(),
            is_shortened: false,
            turns: 0,
            clients: 0,
            told: None,
            begun: None,
            waited: (0, Duration::ZERO),
            suspect: None,
        }
    }

    pub(super) fn finish(mut self) -> Outcome {
        self.take_in_the_rest();
        let Talk { said, judged, checks, shows, notes, is_shortened, suspect, .. } = self;
        let checked =
            Checked { exhibits: shows.iter().map(|(check, at)| (*check, exhibit(&said, *at))).collect(), checks };
        Outcome { said, judged, checked, notes, is_shortened, suspect }
    }
}

impl Talk<'_> {
    fn conversation(&mut self) -> &mut Conversation {
        &mut self.conversations[self.current]
    }

    fn tick(&mut self) -> Moment {
        self.host.moment()
    }
}

/// Something that was said, after what the client said last on that connection.
fn exhibit(said: &[Said], at: usize) -> Vec<Said> {
    let Some(shown) = said.get(at).or(said.last()) else { return Vec::new() };
    let before = &said[..at.min(said.len())];
    let asked = before.iter().rfind(|asked| asked.line == shown.line && asked.sender == Sender::Client);
    asked.filter(|_| shown.sender == Sender::Host).into_iter().chain([shown]).cloned().collect()
}

/// The id of an interface or a syntax that no host knows.
pub const UNKNOWN_ID: SyntaxId =
    SyntaxId { uuid: Guid::from_u128(0x6b6d_7370_0000_4000_8000_0000_0000_0001), version: 1 };
